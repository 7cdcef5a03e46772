"""TAESD, the tiny autoencoder for previews (Bohan 2023): a few 64-wide residual blocks in place of the VAE."""
from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 64


class TAESDDecoder(nn.Sequential):
    """Latents [B, C, h, w] in the UNet's scale -> pictures [B, 3, 8h, 8w], nominally in 0..1; `decode` gives them in -1..1.

    The layers' numbers are the keys of `taesd_decoder.pth`, `taesdxl_decoder.pth` (4 channels) and `taesd3_decoder.pth` (16).
    """

    def __init__(self, latent_channels: int = 4) -> None:
        layers: list[nn.Module] = [SoftClamp(), _conv(latent_channels, WIDTH), nn.ReLU()]
        for _ in range(3):
            layers += [*_blocks(3), nn.Upsample(scale_factor=2), _conv(WIDTH, WIDTH, bias=False)]
        super().__init__(*layers, *_blocks(1), _conv(WIDTH, 3))

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures [B, 3, 8h, 8w], nominally in -1..1."""
        return self(latents) * 2 - 1


class TAESDEncoder(nn.Sequential):
    """Pictures [B, 3, H, W] in 0..1 -> latents [B, C, H/8, W/8] in the UNet's scale, a remainder of pixels rounded up.

    The layers' numbers are the keys of `taesd_encoder.pth` and its relatives. `encode` takes pictures in -1..1.
    """

    def __init__(self, latent_channels: int = 4) -> None:
        layers: list[nn.Module] = [_conv(3, WIDTH), *_blocks(1)]
        for _ in range(3):
            layers += [_conv(WIDTH, WIDTH, stride=2, bias=False), *_blocks(3)]
        super().__init__(*layers, _conv(WIDTH, latent_channels))

    def encode(self, pictures: Tensor) -> Tensor:
        """Latents of pictures [B, 3, H, W] in -1..1."""
        return self(pictures * 0.5 + 0.5)


class SoftClamp(nn.Module):
    """Bends values smoothly into -3..3, where nearly all latents lie."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    """Three convolutions around an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(_conv(width, width), nn.ReLU(), _conv(width, width), nn.ReLU(), _conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x) + x)


def _conv(channels: int, out_channels: int, *, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels, out_channels, 3, stride=stride, padding=1, bias=bias)


def _blocks(count: int) -> list[nn.Module]:
    return [Block(WIDTH) for _ in range(count)]
