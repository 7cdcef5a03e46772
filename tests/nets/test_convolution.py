"""Convolutions computed as matrix products."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from modules.nets.convolution import MatrixConvolutions, matrix_conv2d, quick_convolutions


@given(
    batch=st.integers(1, 3),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    kernel=st.sampled_from([1, 3]),
    stride=st.integers(1, 2),
    channels_last=st.booleans(),
    bias=st.booleans(),
)
def test_equals_the_convolution(batch, height, width, kernel, stride, channels_last, bias):
    torch.manual_seed(0)
    layer = nn.Conv2d(5, 6, kernel, stride=1 if kernel == 1 else stride, padding=kernel // 2, bias=bias)
    x = torch.randn(batch, 5, height, width)
    x = x.to(memory_format=torch.channels_last) if channels_last else x
    with torch.no_grad():
        actual = matrix_conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding)
        torch.testing.assert_close(actual, layer(x), rtol=0, atol=1e-5)
    assert actual.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("layer", "size", "product"),
    [
        (nn.Conv2d(4, 64, 3, padding=1), (8, 8), True),
        (nn.Conv2d(4, 64, 3, padding=1, padding_mode="circular"), (8, 8), True),
        (nn.Conv2d(4, 64, 3, padding=1, stride=2), (16, 16), True),
        (nn.Conv2d(4, 8, 1), (32, 32), True),
        (nn.Conv2d(4, 64, 3, padding=1), (9, 8), False),
        (nn.Conv2d(4, 8, 1, stride=2), (8, 8), False),
        (nn.Conv2d(4, 64, 3, padding=2, dilation=2), (4, 4), False),
        (nn.Conv2d(4, 64, 3, padding=1, groups=2), (4, 4), False),
        (nn.Conv2d(4, 64, 3, padding="same"), (4, 4), False),
    ],
)
def test_only_small_maps_and_1x1_kernels_take_the_other_route(layer, size, product, monkeypatch):
    routed = []

    def spy(*args):
        routed.append(args)
        return matrix_conv2d(*args)

    monkeypatch.setattr("modules.nets.convolution.matrix_conv2d", spy)
    x = torch.randn(1, 4, *size)
    expected = layer(x)
    with MatrixConvolutions():
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)
    assert bool(routed) == product


@pytest.mark.usefixtures("gradients")
def test_training_uses_the_ordinary_convolution():
    assert not isinstance(quick_convolutions(torch.zeros(1)), MatrixConvolutions)
    with torch.no_grad():
        assert isinstance(quick_convolutions(torch.zeros(1)), MatrixConvolutions)
