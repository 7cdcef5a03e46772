"""Residual and resampling blocks of the latent-diffusion UNet, and its time embedding."""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.attention import SpatialTransformer


def timestep_embedding(t: Tensor, dim: int, max_period: float = 10000.0) -> Tensor:
    """Sinusoidal embedding of timesteps [B] (integer or fractional, 0..999) as float32 [B, dim].

    dim//2 cosines, then dim//2 sines of t at frequencies falling from 1 to about 1/max_period; an odd `dim` ends in a zero column
    (Vaswani et al. 2017, section 3.5, in the cosine-first order of Ho et al. 2020).
    """
    half = dim // 2
    exponents = torch.arange(half, dtype=torch.float32, device=t.device) / half
    angles = t[:, None].float() * torch.exp(-math.log(max_period) * exponents)[None]
    embedding = torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1)
    return functional.pad(embedding, (0, dim % 2))


class ResBlock(nn.Module):
    """Residual block with a time embedding: x [B, channels, h, w], emb [B, emb_channels] -> [B, out_channels, h, w]."""

    def __init__(self, channels: int, emb_channels: int, out_channels: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(32, channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(emb_channels, out_channels))
        last = zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1))
        self.out_layers = nn.Sequential(nn.GroupNorm(32, out_channels), nn.SiLU(), nn.Identity(), last)
        self.skip_connection = nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.in_layers(x) + self.emb_layers(emb)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class Downsample(nn.Module):
    """Halves the feature map by a 3x3 convolution of stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Upsample(nn.Module):
    """Doubles the feature map by nearest neighbours, then a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.interpolate(x, scale_factor=2, mode="nearest"))


class TimestepEmbedSequential(nn.Sequential):
    """Layers in a row, each given what it takes: residual blocks the time embedding, transformers the context."""

    def forward(self, x: Tensor, emb: Tensor, context: Tensor | None = None) -> Tensor:  # type: ignore[override]
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, emb)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context)
            else:
                x = layer(x)
        return x


def zeroed(module: nn.Conv2d) -> nn.Conv2d:
    """The same module with zero weights: a block that training starts from as the identity."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module
