"""Weights stored in one type and computed in another."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from modules.nets.casting import FP8, base_weight, computing_in, is_stored_in_fp8, store_in_fp8, upcast_norms
from modules.nets.unet import UNetConfig, UNetModel


def unet() -> UNetModel:
    torch.manual_seed(0)
    config = UNetConfig(model_channels=32, num_res_blocks=(1, 1), channel_mult=(1, 2), transformer_depth=(1, 1), num_heads=2, context_dim=8)
    net = UNetModel(config).eval().requires_grad_(False)
    for parameter in net.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.05)
    return net


def inputs() -> tuple[torch.Tensor, ...]:
    return torch.randn(2, 4, 8, 8), torch.tensor([10.0, 900.0]), torch.randn(2, 3, 8)


def test_fp8_weights_are_computed_with_as_if_they_were_rounded():
    net, rounded, given = unet(), unet(), inputs()
    with torch.no_grad():
        for layer in rounded.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                for parameter in layer.parameters(recurse=False):
                    parameter.copy_(parameter.to(FP8).float())
    parameters = dict(net.named_parameters())
    store_in_fp8(net)
    assert is_stored_in_fp8(net) and net.dtype == torch.float32
    assert all(parameter is parameters[name] for name, parameter in net.named_parameters())
    assert {type(layer).__name__ for layer in net.modules() if isinstance(layer, nn.Linear | nn.Conv2d)} == {"Linear", "Conv2d"}
    norms = [p for layer in net.modules() if isinstance(layer, nn.GroupNorm | nn.LayerNorm) for p in layer.parameters()]
    assert {parameter.dtype for parameter in norms} == {torch.float32}
    torch.testing.assert_close(net(*given), rounded(*given), rtol=0, atol=1e-5)


def test_fp8_takes_a_quarter_of_the_memory():
    net = unet()
    before = sum(p.numel() * p.element_size() for p in net.parameters())
    store_in_fp8(net)
    assert sum(p.numel() * p.element_size() for p in net.parameters()) < 0.27 * before


def test_the_weight_for_loras_is_the_kept_one():
    layer = nn.Sequential(nn.Linear(4, 4))
    weight = layer[0].weight.detach().clone()
    store_in_fp8(layer, keep_half=True)
    torch.testing.assert_close(base_weight(layer[0]), weight.half())
    plain = nn.Sequential(nn.Linear(4, 4))
    store_in_fp8(plain)
    assert base_weight(plain[0]).dtype == torch.float16
    torch.testing.assert_close(base_weight(plain[0]), plain[0].weight.half())
    untouched = nn.Linear(2, 2)
    assert base_weight(untouched) is untouched.weight


@pytest.mark.parametrize("fp8", [False, True])
def test_a_half_network_computes_in_float32_and_is_itself_again(fp8):
    net, given = unet().bfloat16(), inputs()
    if fp8:
        store_in_fp8(net)
    half = net(*given)
    weights = {name: parameter.data_ptr() for name, parameter in net.named_parameters()}
    with computing_in(net, torch.float32):
        full = net(*given)
        exact = unet()
        exact.load_state_dict({name: tensor.float() for name, tensor in net.state_dict().items()})
        torch.testing.assert_close(full, exact(*given), rtol=0, atol=1e-5)
    assert not torch.equal(half, full)
    torch.testing.assert_close(net(*given), half, rtol=0, atol=0)
    assert {name: parameter.data_ptr() for name, parameter in net.named_parameters()} == weights


def test_norms_and_gelus_can_be_computed_in_float32():
    norm, x = nn.GroupNorm(2, 4).bfloat16(), torch.randn(1, 4, 3, 3).bfloat16() * 30
    expected = nn.functional.group_norm(x.float(), 2, norm.weight.float(), norm.bias.float()).bfloat16()
    with upcast_norms():
        assert norm(x).dtype == torch.bfloat16
        torch.testing.assert_close(norm(x), expected, rtol=0, atol=0)
        torch.testing.assert_close(nn.functional.gelu(x), nn.functional.gelu(x.float()).bfloat16(), rtol=0, atol=0)
