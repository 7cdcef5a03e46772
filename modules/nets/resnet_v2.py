"""The ResNet of Big Transfer (Kolesnikov et al. 2020) as hybrid vision transformers use it: weights standardised, group norms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-8
BOTTLENECK = 4


class ResNetV2(nn.Module):
    """Pictures [B, 3, H, W] -> the feature maps of all stages, at 1/4, 1/8, … of the size."""

    def __init__(self, stem: int, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.stem = Stem(stem)
        before = [stem, *widths[:-1]]
        self.stages = nn.ModuleList(Stage(before[i], widths[i], blocks[i], stride=1 if i == 0 else 2) for i in range(len(widths)))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class Stem(nn.Module):
    """A wide convolution and a pooling, together to a quarter of the size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = StdConv2d(3, width, 7, stride=2)
        self.norm = nn.GroupNorm(32, width)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(x)))
        return functional.max_pool2d(_same(x, 3, 2, value=-math.inf), 3, stride=2)


class Stage(nn.Module):
    """Blocks of one resolution under their name in the checkpoint."""

    def __init__(self, channels: int, width: int, blocks: int, *, stride: int) -> None:
        super().__init__()
        layers = [Bottleneck(channels if i == 0 else width, width, stride if i == 0 else 1, first=i == 0) for i in range(blocks)]
        self.blocks = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)


class Bottleneck(nn.Module):
    """Three convolutions, the middle one on a quarter of the width, added to the input or to its projection."""

    def __init__(self, channels: int, width: int, stride: int, *, first: bool) -> None:
        super().__init__()
        inner = width // BOTTLENECK
        if first:
            self.downsample = Shortcut(channels, width, stride)
        self.conv1 = StdConv2d(channels, inner, 1)
        self.norm1 = nn.GroupNorm(32, inner)
        self.conv2 = StdConv2d(inner, inner, 3, stride=stride)
        self.norm2 = nn.GroupNorm(32, inner)
        self.conv3 = StdConv2d(inner, width, 1)
        self.norm3 = nn.GroupNorm(32, width)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        x = torch.relu(self.norm1(self.conv1(x)))
        x = torch.relu(self.norm2(self.conv2(x)))
        return torch.relu(self.norm3(self.conv3(x)) + shortcut)


class Shortcut(nn.Module):
    """The input brought to another width and size."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv = StdConv2d(channels, width, 1, stride=stride)
        self.norm = nn.GroupNorm(32, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class StdConv2d(nn.Conv2d):
    """Convolution with standardised weights (Qiao et al. 2019), padded so that the size is divided by the stride, rounded up."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__(channels, width, kernel, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True, correction=0)
        weight = (self.weight - mean) * torch.rsqrt(variance + EPS)
        return functional.conv2d(_same(x, self.kernel_size[0], self.stride[0]), weight, stride=self.stride)


def _same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """x padded for an output of ceil(size / stride), the odd row and column at the bottom and on the right."""
    down, across = (max((math.ceil(side / stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:])
    return functional.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2), value=value)
