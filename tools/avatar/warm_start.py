"""A starting point for the autoencoder that already passes block colours through, so that training only adds detail.

Three channels carry red, green and blue from the picture through the encoder into three of the four latent channels and back. Each shares its
normalisation group with a constant channel: without it the group norm would erase the absolute colour (with one channel per group it
must: hence no layer here is narrower than 64). Residual branches start at zero.
"""

from __future__ import annotations

import torch
from torch import nn

from modules.nets.vae import AutoencoderKL

_CONSTANT = 2.0
_GROUPS = 32
_LINEAR = 2.5
"""Offset that keeps carried values on the nearly straight part of SiLU."""


def _slots(width: int) -> list[int]:
    """The channels of a layer of `width` that carry red, green and blue; the next one of each is constant."""
    return [group * (width // _GROUPS) for group in range(3)]


def _carry(conv: nn.Conv2d, taps: list[tuple[int, int]], spread: float = 0.3) -> None:
    """Makes a convolution average the carried channels over `taps` and keep the constants; other channels stay random but small."""
    with torch.no_grad():
        conv.weight.mul_(spread)
        for source, target in zip(_slots(conv.in_channels), _slots(conv.out_channels), strict=True):
            for offset in (0, 1):
                conv.weight[target + offset] = 0.0
                conv.bias[target + offset] = 0.0
                for row, column in taps:
                    conv.weight[target + offset, source + offset, row, column] = 1.0 / len(taps)


def _enter(conv: nn.Conv2d, sources: int) -> None:
    """Makes the first convolution of a half write its inputs to the carried channels and the constants beside them."""
    with torch.no_grad():
        for source, target in zip(range(sources), _slots(conv.out_channels), strict=False):
            conv.weight[target : target + 2] = 0.0
            conv.weight[target, source, 1, 1] = 1.0
            conv.bias[target], conv.bias[target + 1] = 0.0, _CONSTANT


def _leave(norm: nn.GroupNorm, conv: nn.Conv2d, gain: float) -> None:
    """Makes the last convolution of a half read the carried channels through norm and SiLU."""
    slots = _slots(norm.num_channels)
    with torch.no_grad():
        conv.weight[:3].mul_(0.1)
        for target, slot in enumerate(slots):
            norm.bias[slot] = _LINEAR
            conv.weight[target, slot, 1, 1] = gain
            conv.bias[target] = -gain * (_LINEAR - 0.9)


def _quiet(module: nn.Module) -> None:
    for name, child in module.named_modules():
        if name.endswith(("conv2", "proj_out")):
            nn.init.zeros_(child.weight)
            nn.init.zeros_(child.bias)


def warm_start(net: AutoencoderKL) -> None:
    """Sets the weights of a fresh autoencoder with at least 64 channels throughout and exactly three steps of halving."""
    _quiet(net)
    square, centre = [(0, 0), (0, 1), (1, 0), (1, 1)], [(1, 1)]
    encoder, decoder = net.encoder, net.decoder
    _enter(encoder.conv_in, 3)
    for level in encoder.down:
        _carry_level(level, square)
    _leave(encoder.norm_out, encoder.conv_out, 1.0)
    with torch.no_grad():
        encoder.conv_out.weight[4:] *= 0.1
        encoder.conv_out.bias[4:] = -5.0
        for conv in (net.quant_conv, net.post_quant_conv):
            conv.weight.copy_(torch.eye(conv.out_channels)[:, :, None, None])
            conv.bias.zero_()
    _enter(decoder.conv_in, 3)
    for level in decoder.up:
        _carry_level(level, centre)
    _leave(decoder.norm_out, decoder.conv_out, 1.1)


def _carry_level(level: nn.Module, taps: list[tuple[int, int]]) -> None:
    for block in level.block:
        if hasattr(block, "nin_shortcut"):
            _carry(block.nin_shortcut, [(0, 0)])
    for name in ("downsample", "upsample"):
        if hasattr(level, name):
            _carry(getattr(level, name).conv, taps)
