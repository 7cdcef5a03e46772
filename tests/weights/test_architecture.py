from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from weights.test_family import FIXTURES, shapes_of

from modules.nets.clip import CLIPTextConfig, CLIPTextModel
from modules.nets.configs import MMDiTConfig, OpenCLIPVisionConfig, XLMRConfig
from modules.nets.mmdit import MMDiT
from modules.nets.openclip import OpenCLIPTextConfig, OpenCLIPTextModel
from modules.nets.openclip_vision import OpenCLIPVisionModel
from modules.nets.t5 import T5Config, T5Encoder
from modules.nets.unet import UNetConfig, UNetModel
from modules.nets.vae import AutoencoderKL, VAEConfig
from modules.nets.xlmr import XLMRTextModel
from modules.weights import architecture
from modules.weights.architecture import ModelSpec, ShapeError, YamlMismatch, model_spec, unet_config, vae_config
from modules.weights.family import SUPPORTED, Family, detect
from modules.weights.fill import WithoutInit
from modules.weights.keymap import split_keys
from modules.weights.model_yaml import ModelYaml, TextOverride

SD1_UNET = UNetConfig()
SD2_UNET = UNetConfig(num_heads=None, num_head_channels=64, context_dim=1024, use_linear_in_transformer=True)
XL_UNET = UNetConfig(
    num_res_blocks=(2, 2, 2), channel_mult=(1, 2, 4), transformer_depth=(0, 2, 10), transformer_depth_middle=10, num_heads=None,
    num_head_channels=64, context_dim=2048, use_linear_in_transformer=True, adm_in_channels=2816,
)  # fmt: skip
REFINER_UNET = replace(
    SD2_UNET, model_channels=384, transformer_depth=(0, 4, 4, 0), transformer_depth_middle=4, context_dim=1280, adm_in_channels=2560
)
VEGA_UNET = replace(XL_UNET, transformer_depth=(0, 1, 2), transformer_depth_middle=None)
SSD_UNET = replace(
    VEGA_UNET, transformer_depth=(0, 2, 4), input_depths=(0, 0, 2, 2, 4, 4), output_depths=(4, 4, 10, 2, 1, 1, 0, 0, 0)
)
BIG_G = OpenCLIPTextConfig(width=1280, layers=32, heads=20, embed_dim=1280)
L, H, V = CLIPTextConfig(), OpenCLIPTextConfig(), VAEConfig()
VIT_H = OpenCLIPVisionConfig()
VIT_L = OpenCLIPVisionConfig(width=1024, layers=24, heads=16, embed_dim=768, mlp_hidden=4096, act="quick_gelu")
SD3_VAE = VAEConfig(z_channels=16, embed_dim=16, use_quant_conv=False)
SD3_L = replace(L, projection_dim=768)
SD3_G = CLIPTextConfig(width=1280, layers=32, heads=20, act="gelu", projection_dim=1280)

SPECS: dict[Family, ModelSpec] = {
    "sd1": ModelSpec("sd1", SD1_UNET, V, L),
    "sd1-inpaint": ModelSpec("sd1-inpaint", replace(SD1_UNET, in_channels=9), V, L),
    "sd1-pix2pix": ModelSpec("sd1-pix2pix", replace(SD1_UNET, in_channels=8), V, L),
    "sd2": ModelSpec("sd2", SD2_UNET, V, None, H, prediction=None),
    "sd2-inpaint": ModelSpec("sd2-inpaint", replace(SD2_UNET, in_channels=9), V, None, H),
    "sd2-depth": ModelSpec("sd2-depth", replace(SD2_UNET, in_channels=5), V, None, H),
    "sd2-unclip-l": ModelSpec("sd2-unclip-l", replace(SD2_UNET, adm_in_channels=1536), V, None, H, prediction="v", vision=VIT_L),
    "sd2-unclip-h": ModelSpec("sd2-unclip-h", replace(SD2_UNET, adm_in_channels=2048), V, None, H, prediction="v", vision=VIT_H),
    "alt": ModelSpec("alt", SD1_UNET, V, text_x=XLMRConfig()),
    "alt-m18": ModelSpec("alt-m18", SD2_UNET, V, text_x=XLMRConfig(project_dim=1024, pre_transformation=True)),
    "sd3": ModelSpec("sd3", MMDiTConfig(), SD3_VAE, SD3_L, SD3_G, prediction="flow", latent_scale=1.5305, latent_shift=0.0609),
    "sdxl": ModelSpec("sdxl", XL_UNET, V, L, BIG_G, latent_scale=0.13025),
    "sdxl-inpaint": ModelSpec("sdxl-inpaint", replace(XL_UNET, in_channels=9), V, L, BIG_G, latent_scale=0.13025),
    "sdxl-refiner": ModelSpec("sdxl-refiner", REFINER_UNET, V, None, BIG_G, latent_scale=0.13025),
    "ssd-1b": ModelSpec("ssd-1b", SSD_UNET, V, L, BIG_G, latent_scale=0.13025),
    "vega": ModelSpec("vega", VEGA_UNET, V, L, BIG_G, latent_scale=0.13025),
}
NETS: dict[type, type[nn.Module]] = {
    UNetConfig: UNetModel,
    MMDiTConfig: MMDiT,
    VAEConfig: AutoencoderKL,
    CLIPTextConfig: CLIPTextModel,
    OpenCLIPTextConfig: OpenCLIPTextModel,
    XLMRConfig: XLMRTextModel,
    OpenCLIPVisionConfig: OpenCLIPVisionModel,
}
SUPPORTED_FIXTURES = [(name, family) for name, family in FIXTURES.items() if family in SUPPORTED]


def net_shapes(net_class: type[nn.Module], config: object) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"), WithoutInit():
        return {name: tuple(tensor.shape) for name, tensor in net_class(config).state_dict().items()}


def test_every_supported_family_is_covered() -> None:
    assert set(SPECS) == SUPPORTED == {family for _, family in SUPPORTED_FIXTURES}


@pytest.mark.parametrize(("name", "family"), SUPPORTED_FIXTURES)
def test_full_size_files_give_their_networks_key_for_key(name: str, family: Family) -> None:
    shapes = shapes_of(name)
    assert detect(shapes) == family
    parts = {part: {net: shapes[key] for net, key in keys.items()} for part, keys in split_keys(shapes).items()}
    spec = model_spec(family, parts)
    assert spec == (SPECS[family] if parts["text_l"] or family != "sd3" else replace(SPECS["sd3"], text_l=None, text_g=None))
    configs = (spec.unet, spec.vae, spec.text_l, spec.text_g, spec.text_x, spec.vision)
    for part, config in zip(("unet", "vae", "text_l", "text_g", "text_x", "vision"), configs, strict=True):
        wanted = net_shapes(NETS[type(config)], config) if config else {}
        if family == "sd3":  # its text encoders come without position numbers
            wanted = {name: shape for name, shape in wanted.items() if not name.endswith("position_ids")}
        assert wanted == parts[part]
    if parts["text_t5"]:
        assert net_shapes(T5Encoder, T5Config()) == parts["text_t5"]


@st.composite
def unets(draw: st.DrawFn) -> UNetConfig:
    levels = draw(st.integers(1, 3))
    blocks = tuple(draw(st.integers(1, 2)) for _ in range(levels))
    same = draw(st.booleans())
    depths = [draw(st.integers(0, 2)) for _ in range(levels)]
    depths[0] = depths[0] or 1  # with no attention anywhere its sizes cannot be seen
    inputs = tuple(depth for depth, count in zip(depths, blocks, strict=True) for _ in range(count))
    outputs = tuple(draw(st.integers(0, 2)) for _ in range(sum(blocks) + levels))
    return UNetConfig(
        in_channels=draw(st.sampled_from((4, 8, 9))),
        model_channels=draw(st.sampled_from((32, 64))),
        num_res_blocks=blocks,
        channel_mult=tuple(draw(st.integers(1, 4)) for _ in range(levels)),
        transformer_depth=tuple(depths),
        transformer_depth_middle=draw(st.sampled_from((None, 1, 2))),
        context_dim=draw(st.integers(1, 300)),
        use_linear_in_transformer=draw(st.booleans()),
        adm_in_channels=draw(st.sampled_from((None, 96))),
        input_depths=None if same else inputs,
        output_depths=None if same else outputs,
    )


@settings(max_examples=6)
@given(unets())
def test_any_unet_is_found_again_from_its_shapes(config: UNetConfig) -> None:
    shapes = net_shapes(UNetModel, config)
    found = unet_config(shapes, "sd1")
    assert net_shapes(UNetModel, found) == shapes
    if config.input_depths is None:
        assert found == config


@settings(max_examples=6)
@given(st.sampled_from((32, 64)), st.lists(st.integers(1, 3), min_size=1, max_size=4), st.integers(1, 3), st.integers(1, 8), st.booleans())
def test_any_vae_is_found_again_from_its_shapes(ch: int, mult: list[int], blocks: int, z: int, quant: bool) -> None:
    config = VAEConfig(ch=ch, ch_mult=tuple(mult), num_res_blocks=blocks, z_channels=z, embed_dim=z, use_quant_conv=quant)
    assert vae_config(net_shapes(AutoencoderKL, config)) == config


@pytest.mark.parametrize("hidden", [64, 100, 128, 171, 3000])
def test_any_feed_forward_width_is_kept(hidden: int) -> None:
    shapes = net_shapes(CLIPTextModel, CLIPTextConfig(width=64, layers=1, heads=1, vocab=10)) | {
        "text_model.encoder.layers.0.mlp.fc1.weight": (hidden, 64)
    }
    assert architecture.clip_config(shapes, TextOverride()).intermediate_size == hidden


def test_the_yaml_gives_what_shapes_cannot_tell() -> None:
    parts = tiny_sd2_parts()
    yaml = ModelYaml(
        given=True,
        prediction="v",
        latent_scale=0.5,
        linear_start=0.001,
        linear_end=0.02,
        num_head_channels=8,
        text_g=TextOverride(4, "quick_gelu"),
    )
    spec = model_spec("sd2", parts, yaml)
    assert (spec.prediction, spec.latent_scale, spec.linear_start, spec.linear_end) == ("v", 0.5, 0.001, 0.02)
    assert (spec.unet.num_heads, spec.unet.num_head_channels) == (None, 8)
    assert spec.text_g is not None and (spec.text_g.heads, spec.text_g.act) == (4, "quick_gelu")
    assert model_spec("sd2", parts, ModelYaml(given=True)).prediction == "eps"
    assert model_spec("sd2", parts).prediction is None


@pytest.mark.parametrize(
    "yaml", [ModelYaml(given=True, num_heads=7), ModelYaml(given=True, num_head_channels=5), ModelYaml(text_g=TextOverride(3))]
)
def test_a_yaml_that_does_not_fit_is_named(yaml: ModelYaml) -> None:
    with pytest.raises(YamlMismatch, match="does not divide"):
        model_spec("sd2", tiny_sd2_parts(), yaml)


def test_sd2_without_its_unused_last_text_layer() -> None:
    shapes = net_shapes(OpenCLIPTextModel, OpenCLIPTextConfig(layers=23))
    assert architecture.openclip_config(shapes, "sd2", TextOverride()).layers == 24
    assert architecture.openclip_config(shapes, "sdxl", TextOverride()).layers == 23


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("input_blocks.0.0.weight", ()),
        ("input_blocks.0.0.weight", (0, 4, 3, 3)),
        ("input_blocks.0.0.weight", (33, 4, 3, 3)),
        ("input_blocks.0.0.weight", None),
        ("out.2.weight", None),
        ("input_blocks.1.0.in_layers.2.weight", None),
        ("input_blocks.1.0.in_layers.2.weight", (31, 32, 3, 3)),
    ],
)
def test_impossible_unets_are_refused(key: str, shape: tuple[int, ...] | None) -> None:
    shapes = dict(tiny_sd2_parts()["unet"])
    shapes.pop(key)
    if shape is not None:
        shapes[key] = shape
    with pytest.raises(ShapeError):
        unet_config(shapes, "sd2")


def tiny_sd2_parts() -> dict:
    unet = UNetConfig(model_channels=32, num_res_blocks=(1, 1), channel_mult=(1, 2), transformer_depth=(1, 0), context_dim=64)
    return {
        "unet": net_shapes(UNetModel, unet),
        "vae": net_shapes(AutoencoderKL, VAEConfig(ch=32, ch_mult=(1, 2), num_res_blocks=1)),
        "text_l": {},
        "text_g": net_shapes(OpenCLIPTextModel, OpenCLIPTextConfig(width=64, layers=1, heads=1, vocab=10, embed_dim=64)),
    }
