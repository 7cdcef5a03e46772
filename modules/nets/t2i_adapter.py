"""T2I adapters: small networks that turn a hint into features for each level of the UNet's encoder (Mou et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modules.nets.configs import OpenCLIPTextConfig
from modules.nets.openclip import ResidualAttentionBlock

__all__ = ["LightAdapter", "StyleAdapter", "T2IAdapter"]


class T2IAdapter(nn.Module):
    """Hint [B, 3, H, W] in 0..1 -> one feature map for each level; attribute names are the file's keys.

    `xl` is the form for SDXL: a sixteenth of the size from the beginning, and halved once only.
    """

    def __init__(self, channels: Sequence[int], blocks: int = 2, hint_channels: int = 3, kernel: int = 1, *, xl: bool = False) -> None:
        super().__init__()
        factor = 16 if xl else 8
        self.levels, self.blocks = len(channels), blocks
        self.unshuffle = nn.PixelUnshuffle(factor)
        self.conv_in = nn.Conv2d(hint_channels * factor**2, channels[0], 3, padding=1)
        halving = {2} if xl else set(range(1, len(channels)))
        layers = []
        for level, width in enumerate(channels):
            for block in range(blocks):
                first = level > 0 and block == 0
                layers.append(AdapterBlock(channels[level - 1] if first else width, width, kernel, halve=first and level in halving))
        self.body = nn.ModuleList(layers)

    def forward(self, hint: Tensor) -> list[Tensor]:
        x = self.conv_in(self.unshuffle(hint))
        features = []
        for index, block in enumerate(self.body):
            x = block(x)
            if index % self.blocks == self.blocks - 1:
                features.append(x)
        return features


class AdapterBlock(nn.Module):
    """Residual block, behind a halving and a change of width where there are such."""

    def __init__(self, channels: int, width: int, kernel: int, *, halve: bool) -> None:
        super().__init__()
        self.halve = nn.AvgPool2d(2) if halve else nn.Identity()
        if channels != width:
            self.in_conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
        self.block1 = nn.Conv2d(width, width, 3, padding=1)
        self.block2 = nn.Conv2d(width, width, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.halve(x)
        x = self.in_conv(x) if hasattr(self, "in_conv") else x
        return x + self.block2(torch.relu(self.block1(x)))


class LightAdapter(nn.Module):
    """The small form (color, and the `light` files): the same inputs and outputs with a quarter of the width inside."""

    def __init__(self, channels: Sequence[int], blocks: int = 4, hint_channels: int = 3) -> None:
        super().__init__()
        self.unshuffle = nn.PixelUnshuffle(8)
        before = [hint_channels * 64, *channels[:-1]]
        self.body = nn.ModuleList(Extractor(before[level], width, blocks, halve=level > 0) for level, width in enumerate(channels))

    def forward(self, hint: Tensor) -> list[Tensor]:
        x = self.unshuffle(hint)
        features = []
        for level in self.body:
            x = level(x)
            features.append(x)
        return features


class Extractor(nn.Module):
    """One level of the small form."""

    def __init__(self, channels: int, width: int, blocks: int, *, halve: bool) -> None:
        super().__init__()
        inner = width // 4
        self.halve = nn.AvgPool2d(2) if halve else nn.Identity()
        self.in_conv = nn.Conv2d(channels, inner, 1)
        self.body = nn.Sequential(*(LightBlock(inner) for _ in range(blocks)))
        self.out_conv = nn.Conv2d(inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_conv(self.body(self.in_conv(self.halve(x))))


class LightBlock(nn.Module):
    """Two convolutions, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block1 = nn.Conv2d(width, width, 3, padding=1)
        self.block2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block2(torch.relu(self.block1(x)))


class StyleAdapter(nn.Module):
    """CLIP's states of a picture [B, T, width] -> tokens [B, tokens, context_dim] to be put behind those of the text."""

    def __init__(self, width: int = 1024, context_dim: int = 768, heads: int = 8, layers: int = 3, tokens: int = 8) -> None:
        super().__init__()
        config = OpenCLIPTextConfig(width=width, heads=heads, act="quick_gelu")
        self.transformer_layes = nn.Sequential(*(ResidualAttentionBlock(config, causal=False) for _ in range(layers)))
        self.style_embedding = nn.Parameter(torch.randn(1, tokens, width) * width**-0.5)
        self.ln_pre = nn.LayerNorm(width)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.randn(width, context_dim) * width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.style_embedding.expand(len(x), -1, -1)
        x = self.transformer_layes(self.ln_pre(torch.cat([x, tokens], dim=1)))
        return self.ln_post(x[:, -tokens.shape[1] :]) @ self.proj
