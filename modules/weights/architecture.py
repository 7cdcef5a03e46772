"""Sizes of a checkpoint's networks, read off the shapes of its tensors; what shapes cannot tell comes from a `.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from modules.nets.configs import CLIPTextConfig, OpenCLIPTextConfig, UNetConfig, VAEConfig
from modules.weights.family import Family, Shape
from modules.weights.keymap import Part
from modules.weights.model_yaml import ModelYaml, TextOverride

Prediction = Literal["eps", "v"]
PartShapes = Mapping[str, Shape]

XL_SCALE = 0.13025
SD_SCALE = 0.18215
HEAD_WIDTH = 64
MAX_COUNT = 128
MAX_TRANSFORMERS = 512
XL_FAMILIES = frozenset(("sdxl", "sdxl-inpaint", "sdxl-refiner", "ssd-1b", "vega"))
SD2_FAMILIES = frozenset(("sd2", "sd2-inpaint"))


class ShapeError(ValueError):
    """The tensors do not form a network of a known build; the message is a clause about the file."""


class YamlMismatch(ValueError):
    """The `.yaml` does not fit the weights; the message is a clause about it."""


@dataclass(frozen=True)
class ModelSpec:
    """Everything needed to build a checkpoint's networks and to run them.

    `prediction` None means that only a trial run tells (SD2). `latent_scale` multiplies what the VAE encodes.
    `linear_start` and `linear_end` are the betas at both ends of the noise schedule.
    """

    family: Family
    unet: UNetConfig
    vae: VAEConfig
    text_l: CLIPTextConfig | None = None
    text_g: OpenCLIPTextConfig | None = None
    prediction: Prediction | None = "eps"
    latent_scale: float = SD_SCALE
    linear_start: float = 0.00085
    linear_end: float = 0.012

    @property
    def text_encoders(self) -> list[CLIPTextConfig | OpenCLIPTextConfig]:
        """Configurations of the text encoders in the order in which their outputs are joined."""
        return [config for config in (self.text_l, self.text_g) if config is not None]

    @property
    def is_sdxl(self) -> bool:
        return self.family in XL_FAMILIES


def model_spec(family: Family, parts: Mapping[Part, PartShapes], yaml: ModelYaml | None = None) -> ModelSpec:
    """The specification of a supported family's checkpoint from its shapes, keyed by part and by name in the network.

    Head counts, activations, prediction type, latent scale and schedule are the `yaml`'s where it gives them; sizes are always
    the tensors'. Raises ShapeError when a part's tensors do not form its network, YamlMismatch when the `yaml` contradicts them.
    """
    yaml = yaml or ModelYaml()
    text_l, text_g = parts.get("text_l", {}), parts.get("text_g", {})
    return ModelSpec(
        family=family,
        unet=_with_heads(unet_config(parts["unet"], family), yaml),
        vae=vae_config(parts["vae"]),
        text_l=clip_config(text_l, yaml.text_l) if text_l else None,
        text_g=openclip_config(text_g, family, yaml.text_g) if text_g else None,
        prediction=yaml.prediction if yaml.given else (None if family == "sd2" else "eps"),
        latent_scale=yaml.latent_scale or (XL_SCALE if family in XL_FAMILIES else SD_SCALE),
        linear_start=yaml.linear_start or ModelSpec.linear_start,
        linear_end=yaml.linear_end or ModelSpec.linear_end,
    )


def unet_config(shapes: PartShapes, family: Family) -> UNetConfig:
    """Shape of a UNet. SD1 and its variants have 8 heads, the later families heads 64 wide (less in networks narrower than that)."""
    out_channels, width, in_channels = _dim(shapes, "out.2.weight", 0), *_dims(shapes, "input_blocks.0.0.weight", 2)
    levels = _encoder_levels(shapes)
    widths = [_dim(shapes, f"input_blocks.{blocks[0]}.0.in_layers.2.weight", 0) for blocks in levels]
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
        context_dim=_dim(shapes, attention, 1) if attention else UNetConfig.context_dim,
        use_linear_in_transformer=project is not None and len(shapes[project]) == 2,
        adm_in_channels=_dim(shapes, "label_emb.0.0.weight", 1) if "label_emb.0.0.weight" in shapes else None,
        input_depths=None if per_level else input_depths,
        output_depths=None if per_level else output_depths,
    )


def vae_config(shapes: PartShapes) -> VAEConfig:
    """Shape of a KL autoencoder from names without prefix."""
    width, in_channels = _dims(shapes, "encoder.conv_in.weight", 2)
    levels = _count(shapes, "encoder.down.{}.block.0.conv1.weight")
    widths = [_dim(shapes, f"encoder.down.{level}.block.0.conv1.weight", 0) for level in range(levels)]
    z_channels = _dim(shapes, "decoder.conv_in.weight", 1)
    quant = "quant_conv.weight" in shapes
    if not widths or any(level % width or level % 32 for level in widths):
        raise ShapeError(f"has VAE levels of widths {widths}, which do not fit a first layer of {width}")
    return VAEConfig(
        in_channels=in_channels,
        out_ch=_dim(shapes, "decoder.conv_out.weight", 0),
        z_channels=z_channels,
        ch=width,
        ch_mult=tuple(level // width for level in widths),
        num_res_blocks=_count(shapes, "encoder.down.0.block.{}.conv1.weight"),
        embed_dim=_dim(shapes, "post_quant_conv.weight", 1) if quant else z_channels,
        use_quant_conv=quant,
    )


def clip_config(shapes: PartShapes, override: TextOverride) -> CLIPTextConfig:
    """Shape of a CLIP tower in transformers' layout; heads are 64 wide unless overridden."""
    vocab, width = _dims(shapes, "text_model.embeddings.token_embedding.weight", 2)
    hidden = _dim(shapes, "text_model.encoder.layers.0.mlp.fc1.weight", 0)
    return CLIPTextConfig(
        width=width,
        layers=_count(shapes, "text_model.encoder.layers.{}.mlp.fc1.weight"),
        heads=_text_heads(width, override),
        vocab=vocab,
        positions=_dim(shapes, "text_model.embeddings.position_embedding.weight", 0),
        mlp_ratio=_ratio(hidden, width),
        act=override.activation or "quick_gelu",
    )


def openclip_config(shapes: PartShapes, family: Family, override: TextOverride) -> OpenCLIPTextConfig:
    """Shape of a CLIP tower in open_clip's layout; heads are 64 wide unless overridden."""
    vocab, width = _dims(shapes, "token_embedding.weight", 2)
    layers = _count(shapes, "transformer.resblocks.{}.attn.in_proj_weight")
    # SD2 takes the last but one layer's output; files that came through diffusers therefore lack the last of the 24.
    layers = 24 if family in SD2_FAMILIES and (layers, width) == (23, 1024) else layers
    hidden = _dim(shapes, "transformer.resblocks.0.mlp.c_fc.weight", 0)
    return OpenCLIPTextConfig(
        width=width,
        layers=layers,
        heads=_text_heads(width, override),
        vocab=vocab,
        positions=_dim(shapes, "positional_embedding", 0),
        embed_dim=_dim(shapes, "text_projection", 1) if "text_projection" in shapes else width,
        mlp_ratio=_ratio(hidden, width),
        act=override.activation or "gelu",
    )


def _default_heads(family: Family, width: int) -> dict[str, int | None]:
    if family not in SD2_FAMILIES and family not in XL_FAMILIES:
        return {"num_heads": 8 if width % 8 == 0 else 1, "num_head_channels": None}
    return {"num_heads": None, "num_head_channels": HEAD_WIDTH if width % HEAD_WIDTH == 0 else _largest_divisor(width, HEAD_WIDTH)}


def _with_heads(config: UNetConfig, yaml: ModelYaml) -> UNetConfig:
    if yaml.num_head_channels is not None:
        _require_divides(yaml.num_head_channels, config.model_channels, "num_head_channels")
        return replace(config, num_heads=None, num_head_channels=yaml.num_head_channels)
    if yaml.num_heads is not None:
        _require_divides(yaml.num_heads, config.model_channels, "num_heads")
        return replace(config, num_heads=yaml.num_heads, num_head_channels=None)
    return config


def _text_heads(width: int, override: TextOverride) -> int:
    if override.heads is not None:
        _require_divides(override.heads, width, "heads of text_config")
        return override.heads
    return width // _largest_divisor(width, HEAD_WIDTH) if width >= HEAD_WIDTH else 1


def _require_divides(part: int, whole: int, name: str) -> None:
    if part < 1 or whole % part:
        raise YamlMismatch(f"gives {name} as {part}, which does not divide the network's width {whole}; correct or remove it")


def _largest_divisor(number: int, limit: int) -> int:
    return next(divisor for divisor in range(min(number, limit), 0, -1) if number % divisor == 0)


def _ratio(hidden: int, width: int) -> float:
    """hidden / width, such that the integer part of width times it is exactly `hidden`."""
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else (hidden + 0.5) / width


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
    return _count(shapes, prefix + ".transformer_blocks.{}.norm1.weight")


def _per_level(inputs: tuple[int, ...], outputs: tuple[int, ...], counts: tuple[int, ...]) -> tuple[int, ...] | None:
    """One depth per level if encoder and decoder agree throughout, else None."""
    depths = _last_of_levels(inputs, counts)
    expected_inputs = tuple(depth for depth, count in zip(depths, counts, strict=True) for _ in range(count))
    expected_outputs = tuple(depth for depth, count in zip(depths[::-1], counts[::-1], strict=True) for _ in range(count + 1))
    return depths if (inputs, outputs) == (expected_inputs, expected_outputs) else None


def _last_of_levels(inputs: tuple[int, ...], counts: tuple[int, ...]) -> tuple[int, ...]:
    ends = [sum(counts[: level + 1]) for level in range(len(counts))]
    return tuple(inputs[end - 1] for end in ends)


def _count(shapes: PartShapes, template: str) -> int:
    """How many of template.format(0), template.format(1), … there are without a gap."""
    number = 0
    while template.format(number) in shapes:
        number += 1
    if number > MAX_COUNT:
        raise ShapeError(f"has {number} layers where no model has more than {MAX_COUNT}")
    return number


def _dim(shapes: PartShapes, key: str, axis: int) -> int:
    return _dims(shapes, key, axis + 1)[axis]


def _dims(shapes: PartShapes, key: str, count: int) -> tuple[int, ...]:
    """The first `count` sizes of a tensor; raises ShapeError if it is absent, has fewer axes or an empty one."""
    shape = shapes.get(key)
    if shape is None:
        raise ShapeError(f"lacks '{key}'")
    if len(shape) < count or 0 in shape:
        raise ShapeError(f"has '{key}' in the impossible shape {list(shape)}")
    return shape[:count]
