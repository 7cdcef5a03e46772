"""Sizes of a checkpoint's networks, read off the shapes of its tensors; what shapes cannot tell comes from a `.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from modules.nets.configs import (
    CLIPTextConfig,
    DPTConfig,
    MMDiTConfig,
    OpenCLIPTextConfig,
    OpenCLIPVisionConfig,
    UNetConfig,
    VAEConfig,
    XLMRConfig,
)
from modules.weights.encoders import (
    HEAD_WIDTH,
    SD2_FAMILIES,
    clip_config,
    dpt_config,
    openclip_config,
    projected_clip_config,
    vision_config,
    xlmr_config,
)
from modules.weights.family import Family
from modules.weights.keymap import Part
from modules.weights.measure import PartShapes, ShapeError, YamlMismatch, count, dim, dims, largest_divisor, require_divides
from modules.weights.model_yaml import ModelYaml

__all__ = [
    "SD2_FAMILIES",
    "XL_FAMILIES",
    "ModelSpec",
    "Prediction",
    "ShapeError",
    "YamlMismatch",
    "model_spec",
    "unet_config",
    "vae_config",
]

Prediction = Literal["eps", "v", "flow"]
TextConfig = CLIPTextConfig | OpenCLIPTextConfig | XLMRConfig

XL_SCALE = 0.13025
SD_SCALE = 0.18215
SD3_SCALE, SD3_SHIFT = 1.5305, 0.0609
MAX_COUNT = 128
MAX_TRANSFORMERS = 512
XL_FAMILIES: frozenset[Family] = frozenset(("sdxl", "sdxl-inpaint", "sdxl-refiner", "ssd-1b", "vega"))
UNCLIP_FAMILIES: frozenset[Family] = frozenset(("sd2-unclip-l", "sd2-unclip-h"))


@dataclass(frozen=True)
class ModelSpec:
    """Everything needed to build a checkpoint's networks and to run them.

    `prediction` None means that only a trial run tells (SD2). A latent is (what the VAE encodes − `latent_shift`) · `latent_scale`.
    `linear_start` and `linear_end` are the betas at both ends of the noise schedule. `text_x` is AltDiffusion's encoder in place of
    CLIP's, `vision` and `depth` the networks that Stable unCLIP and the depth model look at a picture with.
    """

    family: Family
    unet: UNetConfig | MMDiTConfig
    vae: VAEConfig
    text_l: CLIPTextConfig | None = None
    text_g: CLIPTextConfig | OpenCLIPTextConfig | None = None
    prediction: Prediction | None = "eps"
    latent_scale: float = SD_SCALE
    linear_start: float = 0.00085
    linear_end: float = 0.012
    latent_shift: float = 0.0
    text_x: XLMRConfig | None = None
    vision: OpenCLIPVisionConfig | None = None
    depth: DPTConfig | None = None

    @property
    def text_encoders(self) -> list[TextConfig]:
        """Configurations of the text encoders in the order in which their outputs are joined."""
        return [config for config in (self.text_l, self.text_g, self.text_x) if config is not None]

    @property
    def is_sdxl(self) -> bool:
        return self.family in XL_FAMILIES


def model_spec(family: Family, parts: Mapping[Part, PartShapes], yaml: ModelYaml | None = None) -> ModelSpec:
    """The specification of a supported family's checkpoint from its shapes, keyed by part and by name in the network.

    Head counts, activations, prediction type, latent scale and schedule are the `yaml`'s where it gives them; sizes are always
    the tensors'. Raises ShapeError when a part's tensors do not form its network, YamlMismatch when the `yaml` contradicts them.
    """
    yaml = yaml or ModelYaml()
    if family == "sd3":
        return _sd3_spec(parts, yaml)
    text_l, text_g, text_x = (parts.get(part, {}) for part in ("text_l", "text_g", "text_x"))
    vision, depth = parts.get("vision", {}), parts.get("depth", {})
    return ModelSpec(
        family=family,
        unet=_with_heads(unet_config(parts["unet"], family), yaml),
        vae=vae_config(parts["vae"]),
        text_l=clip_config(text_l, yaml.text_l) if text_l else None,
        text_g=openclip_config(text_g, family, yaml.text_g) if text_g else None,
        prediction=yaml.prediction if yaml.given else _prediction(family),
        latent_scale=yaml.latent_scale or (XL_SCALE if family in XL_FAMILIES else SD_SCALE),
        linear_start=yaml.linear_start or ModelSpec.linear_start,
        linear_end=yaml.linear_end or ModelSpec.linear_end,
        text_x=xlmr_config(text_x) if text_x else None,
        vision=vision_config(vision, family) if vision else None,
        depth=dpt_config(depth) if depth else None,
    )


def _prediction(family: Family) -> Prediction | None:
    if family in UNCLIP_FAMILIES:
        return "v"
    return None if family == "sd2" else "eps"


def _sd3_spec(parts: Mapping[Part, PartShapes], yaml: ModelYaml) -> ModelSpec:
    text_l, text_g = parts.get("text_l", {}), parts.get("text_g", {})
    big_g = replace(yaml.text_g, activation=yaml.text_g.activation or "gelu")
    return ModelSpec(
        family="sd3",
        unet=mmdit_config(parts["unet"]),
        vae=vae_config(parts["vae"]),
        text_l=projected_clip_config(text_l, yaml.text_l) if text_l else None,
        text_g=projected_clip_config(text_g, big_g) if text_g else None,
        prediction="flow",
        latent_scale=yaml.latent_scale or SD3_SCALE,
        latent_shift=SD3_SHIFT,
    )


def mmdit_config(shapes: PartShapes) -> MMDiTConfig:
    """Shape of Stable Diffusion 3's transformer; heads are 64 wide."""
    hidden, in_channels, patch_size = dims(shapes, "x_embedder.proj.weight", 3)
    positions = dim(shapes, "pos_embed", 1)
    side = round(positions**0.5)
    if side * side != positions or hidden % HEAD_WIDTH:
        raise ShapeError(f"has a transformer of {positions} positions and width {hidden}, which is none of this family")
    return MMDiTConfig(
        in_channels=in_channels,
        out_channels=dim(shapes, "final_layer.linear.weight", 0) // patch_size**2,
        patch_size=patch_size,
        depth=count(shapes, "joint_blocks.{}.x_block.attn.qkv.weight"),
        hidden=hidden,
        head_width=HEAD_WIDTH,
        mlp_hidden=dim(shapes, "joint_blocks.0.x_block.mlp.fc1.weight", 0),
        context_dim=dim(shapes, "context_embedder.weight", 1),
        adm_in_channels=dim(shapes, "y_embedder.mlp.0.weight", 1),
        pos_side=side,
        qk_norm="joint_blocks.0.x_block.attn.ln_q.weight" in shapes,
    )


def unet_config(shapes: PartShapes, family: Family) -> UNetConfig:
    """Shape of a UNet. SD1 and its variants have 8 heads, the later families heads 64 wide (less in networks narrower than that)."""
    out_channels, width, in_channels = dim(shapes, "out.2.weight", 0), *dims(shapes, "input_blocks.0.0.weight", 2)
    levels = _encoder_levels(shapes)
    widths = [dim(shapes, f"input_blocks.{blocks[0]}.0.in_layers.2.weight", 0) for blocks in levels]
    if width < 32 or any(level % width for level in widths):
        raise ShapeError(f"has UNet levels of widths {widths}, which are no multiples of {width}")
    input_depths = tuple(_depth(shapes, f"input_blocks.{block}.1") for blocks in levels for block in blocks)
    counts = tuple(len(blocks) for blocks in levels)
    output_depths = tuple(_depth(shapes, f"output_blocks.{block}.1") for block in range(sum(counts) + len(levels)))
    if sum(input_depths + output_depths) > MAX_TRANSFORMERS:
        raise ShapeError(f"has {sum(input_depths + output_depths)} transformer blocks where no model has more than {MAX_TRANSFORMERS}")
    per_level = _per_level(input_depths, output_depths, counts)
    attention = next((key for key in shapes if key.endswith(".attn2.to_k.weight")), None)
    project = next((key for key in shapes if key.endswith(".proj_in.weight")), None)
    return UNetConfig(
        in_channels=in_channels,
        out_channels=out_channels,
        model_channels=width,
        num_res_blocks=counts,
        channel_mult=tuple(level // width for level in widths),
        transformer_depth=per_level or _last_of_levels(input_depths, counts),
        transformer_depth_middle=_depth(shapes, "middle_block.1") or None,
        **_default_heads(family, width),
        context_dim=dim(shapes, attention, 1) if attention else UNetConfig.context_dim,
        use_linear_in_transformer=project is not None and len(shapes[project]) == 2,
        adm_in_channels=dim(shapes, "label_emb.0.0.weight", 1) if "label_emb.0.0.weight" in shapes else None,
        input_depths=None if per_level else input_depths,
        output_depths=None if per_level else output_depths,
    )


def vae_config(shapes: PartShapes) -> VAEConfig:
    """Shape of a KL autoencoder from names without prefix."""
    width, in_channels = dims(shapes, "encoder.conv_in.weight", 2)
    levels = count(shapes, "encoder.down.{}.block.0.conv1.weight")
    widths = [dim(shapes, f"encoder.down.{level}.block.0.conv1.weight", 0) for level in range(levels)]
    z_channels = dim(shapes, "decoder.conv_in.weight", 1)
    quant = "quant_conv.weight" in shapes
    if not widths or any(level % width or level % 32 for level in widths):
        raise ShapeError(f"has VAE levels of widths {widths}, which do not fit a first layer of {width}")
    return VAEConfig(
        in_channels=in_channels,
        out_ch=dim(shapes, "decoder.conv_out.weight", 0),
        z_channels=z_channels,
        ch=width,
        ch_mult=tuple(level // width for level in widths),
        num_res_blocks=count(shapes, "encoder.down.0.block.{}.conv1.weight"),
        embed_dim=dim(shapes, "post_quant_conv.weight", 1) if quant else z_channels,
        use_quant_conv=quant,
    )


def _default_heads(family: Family, width: int) -> dict[str, int | None]:
    if family not in SD2_FAMILIES | XL_FAMILIES | {"alt-m18"}:  # m18 grew from SD2's UNet
        return {"num_heads": 8 if width % 8 == 0 else 1, "num_head_channels": None}
    return {"num_heads": None, "num_head_channels": HEAD_WIDTH if width % HEAD_WIDTH == 0 else largest_divisor(width, HEAD_WIDTH)}


def _with_heads(config: UNetConfig, yaml: ModelYaml) -> UNetConfig:
    if yaml.num_head_channels is not None:
        require_divides(yaml.num_head_channels, config.model_channels, "num_head_channels")
        return replace(config, num_heads=None, num_head_channels=yaml.num_head_channels)
    if yaml.num_heads is not None:
        require_divides(yaml.num_heads, config.model_channels, "num_heads")
        return replace(config, num_heads=yaml.num_heads, num_head_channels=None)
    return config


def _encoder_levels(shapes: PartShapes) -> list[list[int]]:
    """Numbers of the encoder's residual blocks, grouped by level; a downsampling block ends a level."""
    levels: list[list[int]] = [[]]
    block = 1
    while True:
        if f"input_blocks.{block}.0.in_layers.2.weight" in shapes:
            levels[-1].append(block)
        elif f"input_blocks.{block}.0.op.weight" in shapes:
            levels.append([])
        else:
            break
        block += 1
    if block > MAX_COUNT:
        raise ShapeError(f"has {block} UNet blocks where no model has more than {MAX_COUNT}")
    if not all(levels):
        raise ShapeError("has a UNet level without residual blocks")
    return levels


def _depth(shapes: PartShapes, prefix: str) -> int:
    """Number of transformer blocks in one spatial transformer, 0 where there is none."""
    return count(shapes, prefix + ".transformer_blocks.{}.norm1.weight")


def _per_level(inputs: tuple[int, ...], outputs: tuple[int, ...], counts: tuple[int, ...]) -> tuple[int, ...] | None:
    """One depth per level if encoder and decoder agree throughout, else None."""
    depths = _last_of_levels(inputs, counts)
    expected_inputs = tuple(depth for depth, count in zip(depths, counts, strict=True) for _ in range(count))
    expected_outputs = tuple(depth for depth, count in zip(depths[::-1], counts[::-1], strict=True) for _ in range(count + 1))
    return depths if (inputs, outputs) == (expected_inputs, expected_outputs) else None


def _last_of_levels(inputs: tuple[int, ...], counts: tuple[int, ...]) -> tuple[int, ...]:
    ends = [sum(counts[: level + 1]) for level in range(len(counts))]
    return tuple(inputs[end - 1] for end in ends)
