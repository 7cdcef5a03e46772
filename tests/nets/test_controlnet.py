"""ControlNets and T2I adapters against the originals, at tiny size, and the keys of the released files."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from modules.nets.controlnet import ControlNet, controlled
from modules.nets.t2i_adapter import LightAdapter, StyleAdapter, T2IAdapter
from modules.nets.unet import UNetConfig, UNetModel

SD1 = UNetConfig(
    model_channels=32, num_res_blocks=(1, 1, 1, 1), channel_mult=(1, 2, 1, 1), transformer_depth=(1, 1, 1, 0), num_heads=4, context_dim=24
)
XL = UNetConfig(
    model_channels=32, num_res_blocks=(1, 1, 1), channel_mult=(1, 2, 1), transformer_depth=(0, 1, 2), transformer_depth_middle=2,
    num_heads=None, num_head_channels=16, context_dim=40, use_linear_in_transformer=True, adm_in_channels=48,
)  # fmt: skip
FULL_XL = UNetConfig(
    num_res_blocks=(2, 2, 2), channel_mult=(1, 2, 4), transformer_depth=(0, 2, 10), transformer_depth_middle=10, num_heads=None,
    num_head_channels=64, context_dim=2048, use_linear_in_transformer=True, adm_in_channels=2816,
)  # fmt: skip
FULL = {
    "controlnet_sd1_plain": UNetConfig(),
    "controlnet_sd1_prefixed": UNetConfig(),
    "controlnet_sd2_plain": UNetConfig(num_heads=None, num_head_channels=64, context_dim=1024, use_linear_in_transformer=True),
    "controlnet_sdxl": FULL_XL,
    "controlnet_sdxl_mid": replace(FULL_XL, transformer_depth=(0, 0, 1), transformer_depth_middle=1),
    "controlnet_sdxl_small": replace(FULL_XL, transformer_depth=(0, 0, 0), transformer_depth_middle=None),
}


@pytest.mark.parametrize(("name", "config"), [("controlnet_sd1", SD1), ("controlnet_sdxl", XL)])
def test_every_control_tensor_is_the_originals(name, config, recorded, assert_close):
    original = recorded("controlnet", name, "control_model.")
    net = ControlNet(config)
    net.load_state_dict(original.weights)
    for case in original.cases.values():
        told = net.control(case["in.x"], case["in.hint"], case["in.timesteps"], case["in.context"], case.get("in.y"))
        assert len(told) == len([key for key in case if key.startswith("out.control.")])
        for index, tensor in enumerate(told):
            assert_close(tensor, case[f"out.control.{index}"])


def test_the_controlled_unet_gives_the_originals_outputs(recorded, assert_close):
    original = recorded("controlnet", "controlnet_sd1", "control_model.")
    net, unet = ControlNet(SD1), UNetModel(SD1)
    net.load_state_dict(original.weights)
    unet.load_state_dict(recorded("unet", "sd1_4level", "model.diffusion_model.").weights)
    for case in original.cases.values():
        x, t, context = case["in.x"], case["in.timesteps"], case["in.context"]
        told = net.control(x, case["in.hint"], t, context)
        scaled = [tensor * scale for tensor, scale in zip(told, case["in.scales"], strict=True)]
        assert_close(unet(x, t, context), case["out.eps_plain"])
        assert_close(controlled(unet, x, t, context, told), case["out.eps_control"])
        assert_close(controlled(unet, x, t, context, scaled), case["out.eps_control_scaled"])
        assert_close(controlled(unet, x, t, context, told, only_middle=True), case["out.eps_only_mid"])


@pytest.mark.parametrize("name", FULL)
def test_a_released_file_loads_strictly(name, full_size_shapes):
    shapes = {key.removeprefix("control_model."): shape for key, shape in full_size_shapes(name).items()}
    with torch.device("meta"):
        ControlNet(FULL[name]).load_state_dict({key: torch.empty(shape) for key, shape in shapes.items()}, strict=True, assign=True)


CHANNELS = (16, 24, 32, 32)


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("t2i_adapter_sd1", lambda: T2IAdapter(CHANNELS)),
        ("t2i_adapter_sdxl", lambda: T2IAdapter(CHANNELS, xl=True)),
        ("t2i_adapter_light", lambda: LightAdapter(CHANNELS, 2)),
    ],
)
def test_every_feature_of_an_adapter_is_the_originals(name, build, recorded, assert_close):
    original = recorded("controlnet", name)
    net = build()
    net.load_state_dict(original.weights)
    for case in original.cases.values():
        features = net(case["in.hint"])
        assert len(features) == len(CHANNELS)
        for index, feature in enumerate(features):
            assert_close(feature, case[f"out.feature.{index}"])


def test_the_style_adapters_tokens_are_the_originals(recorded, assert_close):
    original = recorded("controlnet", "t2i_adapter_style")
    net = StyleAdapter(32, 24, heads=4, layers=2, tokens=8)
    net.load_state_dict(original.weights)
    case = original.cases["case0"]
    assert_close(net(case["in.x"]), case["out.tokens"])
