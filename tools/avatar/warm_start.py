"""A starting point for the autoencoder that already passes block colours through, so that training only adds detail.

Three channels carry red, green and blue from the picture through the encoder into three of the four latent channels
and back. A group norm would erase their absolute level, so each has companions in its group that do not depend on the
picture: constants in the encoder, and in the decoder, whose last groups have two channels only, a bright frame along
the border that both channels share and that their difference removes. Residual branches start at zero. Made for 64
channels, 128 at the lowest level, and three halvings.
"""

from __future__ import annotations

import torch
from torch import nn

from modules.nets.vae import AutoencoderKL

_CONSTANT = 3.0
_FRAME = -0.9
"""Weight of each tap that makes the frame: along an edge three of nine taps fall outside."""
_LINEAR = 2.5
"""Offset that keeps carried values on the nearly straight part of SiLU."""
_GROUPS = 32
_COLORS = range(3)


def _slot(color: int, width: int) -> int:
    """The channel that carries a colour in a layer of `width` channels: the first of a normalisation group."""
    return color * (width // _GROUPS)


def _clear(conv: nn.Conv2d, channel: int) -> None:
    conv.weight[channel] = 0.0
    conv.bias[channel] = 0.0


def _carry(conv: nn.Conv2d, taps: list[tuple[int, int]], spread: float = 0.3) -> None:
    """Makes a convolution average the carried channels over `taps` and keep the constants; other channels stay random but small."""
    conv.weight.mul_(spread)
    wide_out, wide_in = conv.out_channels == 128, conv.in_channels == 128
    for color in _COLORS:
        source, target = _slot(color, conv.in_channels), _slot(color, conv.out_channels)
        for offset in range(4 if wide_out else 2):
            _clear(conv, target + offset)
        for row, column in taps:
            share = 1.0 / len(taps)
            conv.weight[target, source, row, column] = share
            conv.weight[target + 1, source + 1, row, column] = share
            if wide_out:
                conv.weight[target + 2, source + (2 if wide_in else 1), row, column] = share if wide_in else -share


def _enter(conv: nn.Conv2d) -> None:
    """Makes the first convolution of a half write its inputs to the carried channels and the constants beside them."""
    for color in _COLORS:
        target = _slot(color, conv.out_channels)
        for offset in range(conv.out_channels // _GROUPS):
            _clear(conv, target + offset)
        conv.weight[target, color, 1, 1] = 1.0
        conv.bias[target + 1] = _CONSTANT
        if conv.out_channels == 128:
            conv.bias[target + 2] = -_CONSTANT


def _frame(conv: nn.Conv2d) -> None:
    """Adds the frame to the carried channels, and puts it alone in place of the constants."""
    for color in _COLORS:
        slot = _slot(color, conv.in_channels)
        for target in (slot, slot + 1):
            conv.weight[target, slot + 1] = _FRAME
            conv.bias[target] = -9 * _FRAME * _CONSTANT


def _leave(norm: nn.GroupNorm, conv: nn.Conv2d) -> None:
    """Makes the last convolution of a half read each carried channel against the empty one of its group, through norm and SiLU."""
    conv.weight[:3].mul_(0.1)
    for color in _COLORS:
        slot = _slot(color, norm.num_channels)
        empty = slot + norm.num_channels // _GROUPS - 1
        norm.bias[slot] = norm.bias[empty] = _LINEAR
        conv.weight[color, slot, 1, 1], conv.weight[color, empty, 1, 1] = 1.0, -1.0
        conv.bias[color] = 0.0


def _quiet(module: nn.Module) -> None:
    for name, child in module.named_modules():
        if name.endswith(("conv2", "proj_out")):
            nn.init.zeros_(child.weight)
            nn.init.zeros_(child.bias)


@torch.no_grad()
def warm_start(net: AutoencoderKL, pictures: torch.Tensor) -> None:
    """Sets the weights of a fresh autoencoder; `pictures` [B, 3, H, W] in [-1, 1] calibrate the gain of the two last layers."""
    _quiet(net)
    encoder, decoder = net.encoder, net.decoder
    for half, taps in ((encoder, [(0, 0), (0, 1), (1, 0), (1, 1)]), (decoder, [(1, 1)])):
        _enter(half.conv_in)
        for level in half.down if half is encoder else half.up:
            _carry_level(level, taps)
        _leave(half.norm_out, half.conv_out)
    _frame(decoder.up[1].upsample.conv)
    encoder.conv_out.weight[4:] *= 0.1
    encoder.conv_out.bias[4:] = -5.0
    for conv in (net.quant_conv, net.post_quant_conv):
        conv.weight.copy_(torch.eye(conv.out_channels)[:, :, None, None])
        conv.bias.zero_()
    small = nn.functional.avg_pool2d(pictures, 8)
    _calibrate(encoder.conv_out, net.encode(pictures).mean, small)
    _calibrate(decoder.conv_out, net.decode(net.encode(pictures).mean), pictures)


def _calibrate(conv: nn.Conv2d, got: torch.Tensor, wanted: torch.Tensor) -> None:
    """Scales and shifts a last layer's colours to fit `wanted` best."""
    for color in _COLORS:
        x, y = got[:, color].flatten(), wanted[:, color].flatten()
        gain = ((x - x.mean()) * (y - y.mean())).mean() / x.var()
        conv.weight[color] *= gain
        conv.bias[color] = conv.bias[color] * gain + y.mean() - gain * x.mean()


def _carry_level(level: nn.Module, taps: list[tuple[int, int]]) -> None:
    for block in level.block:
        if hasattr(block, "nin_shortcut"):
            _carry(block.nin_shortcut, [(0, 0)])
    for name in ("downsample", "upsample"):
        if hasattr(level, name):
            _carry(getattr(level, name).conv, taps)
