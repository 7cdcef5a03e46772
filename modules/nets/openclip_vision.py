"""CLIP's vision tower in the layout of open_clip (Radford et al. 2021; Dosovitskiy et al. 2021): the image encoder of Stable unCLIP."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.configs import OpenCLIPTextConfig, OpenCLIPVisionConfig
from modules.nets.openclip import ResidualAttentionBlock

__all__ = ["OpenCLIPVisionConfig", "OpenCLIPVisionModel", "prepare_pictures"]

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


class OpenCLIPVisionModel(nn.Module):
    """Pictures -> one embedding each; attribute names are the checkpoint's keys under `embedder.model.visual.`."""

    def __init__(self, config: OpenCLIPVisionConfig) -> None:
        super().__init__()
        self.config = config
        width, size = config.width, config.patch_size
        self.conv1 = nn.Conv2d(3, width, size, stride=size, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positional_embedding = nn.Parameter(torch.randn((config.image_size // size) ** 2 + 1, width) * width**-0.5)
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = VisionTransformer(config)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.randn(width, config.embed_dim) * width**-0.5)

    def forward(self, pictures: Tensor) -> Tensor:
        """Embeddings [B, embed_dim], not normalised, of prepared pictures [B, 3, image_size, image_size]."""
        patches = self.conv1(pictures.to(self.proj.dtype)).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(patches), 1, -1)
        x = self.ln_pre(torch.cat([first, patches], dim=1) + self.positional_embedding)
        for block in self.transformer.resblocks:
            x = block(x)
        return self.ln_post(x[:, 0]) @ self.proj


class VisionTransformer(nn.Module):
    """The layers under their name in the checkpoint."""

    def __init__(self, config: OpenCLIPVisionConfig) -> None:
        super().__init__()
        ratio = (config.mlp_hidden + 0.5) / config.width  # whose product with the width is cut to the right integer
        layer = OpenCLIPTextConfig(width=config.width, heads=config.heads, mlp_ratio=ratio, act=config.act)
        self.resblocks = nn.ModuleList(ResidualAttentionBlock(layer, causal=False) for _ in range(config.layers))


def prepare_pictures(pictures: Tensor, size: int, *, antialias: bool) -> Tensor:
    """Pictures [B, 3, H, W] in -1..1, resized to size×size regardless of their aspect, in CLIP's colour scale.

    The resizing is bicubic with aligned corners, after a Gaussian blur where `antialias` is set and the picture shrinks, as the
    Stable unCLIP models were trained.
    """
    if antialias:
        pictures = _blurred(pictures, size)
    resized = functional.interpolate(pictures, size=(size, size), mode="bicubic", align_corners=True)
    mean, std = (resized.new_tensor(values)[:, None, None] for values in (MEAN, STD))
    return ((resized + 1) / 2 - mean) / std


def _blurred(pictures: Tensor, size: int) -> Tensor:
    """Smoothed along each side in proportion to how much that side will shrink; untouched where none does."""
    factors = [side / size for side in pictures.shape[2:]]
    if max(factors) <= 1:
        return pictures
    for axis, factor in zip((2, 3), factors, strict=True):
        sigma = max((factor - 1) / 2, 0.001)
        taps = max(int(4 * sigma), 3) | 1
        pictures = _smooth(pictures, _gaussian(taps, sigma).to(pictures), axis)
    return pictures


def _gaussian(taps: int, sigma: float) -> Tensor:
    positions = torch.arange(taps, dtype=torch.float32) - taps // 2
    weights = torch.exp(-(positions**2) / (2 * sigma**2))
    return weights / weights.sum()


def _smooth(pictures: Tensor, weights: Tensor, axis: int) -> Tensor:
    """Convolved with `weights` along one axis, reflected at the borders."""
    radius, channels = len(weights) // 2, pictures.shape[1]
    vertical = axis == 2
    padded = functional.pad(pictures, (0, 0, radius, radius) if vertical else (radius, radius, 0, 0), mode="reflect")
    kernel = weights.view((1, 1, -1, 1) if vertical else (1, 1, 1, -1)).expand(channels, -1, -1, -1)
    return functional.conv2d(padded, kernel, groups=channels)
