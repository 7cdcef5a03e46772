"""The autoencoder piece by piece, for pictures whose feature maps do not fit into memory as a whole.

What is cheap at the latent's resolution (the middle with its attention) runs on all of it; the levels above run on tiles with
enough surroundings for their convolutions, whose share of the result is then cut out. Group norms would make each tile
another picture: they use the statistics of one pass over a small version of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.convolution import preferred_format, quick_convolutions
from modules.nets.vae import AutoencoderKL, DiagonalGaussian

TILE = 64
"""Latent cells along a tile's side, without its surroundings."""
MARGIN = 10
"""Latent cells of surroundings: past the reach of the levels' convolutions but for a thousandth."""


def decode_tiled(vae: AutoencoderKL, z: Tensor, tile: int = TILE) -> Tensor:
    """Pictures [B, 3, 8h, 8w] of unscaled latents [B, C, h, w]; like `vae.decode`, with the peak of memory of one tile."""
    decoder, scale = vae.decoder, vae.config.scale_factor
    z = z.to(vae.dtype, memory_format=preferred_format(z))
    with quick_convolutions(z):
        h = decoder.to_middle(vae.post_quant_conv(z) if vae.config.use_quant_conv else z)
        norms = [*_norms(decoder.up), decoder.norm_out]
        with _statistics_of(norms, lambda: decoder.from_middle(_shrunk(h, tile))):
            return _over_tiles(h, tile, scale, 1, decoder.from_middle, _wraps(vae))


def encode_tiled(vae: AutoencoderKL, x: Tensor, tile: int = TILE) -> DiagonalGaussian:
    """Distribution of the latents of pictures [B, 3, H, W] in -1..1; like `vae.encode`, with the peak of memory of one tile."""
    encoder, scale = vae.encoder, vae.config.scale_factor
    x = x.to(vae.dtype, memory_format=preferred_format(x))
    x = x[..., : x.shape[-2] // scale * scale, : x.shape[-1] // scale * scale]
    with quick_convolutions(x):
        with _statistics_of(_norms(encoder.down), lambda: encoder.to_middle(_shrunk(x, tile * scale))):
            h = _over_tiles(x, tile * scale, 1, scale, encoder.to_middle, _wraps(vae))
        moments = encoder.from_middle(h)
        return DiagonalGaussian.of_moments(vae.quant_conv(moments) if vae.config.use_quant_conv else moments)


def _over_tiles(whole: Tensor, tile: int, up: int, down: int, run: Callable[[Tensor], Tensor], wraps: bool) -> Tensor:
    """`run` over tiles of [B, C, h, w], side by side in a result of h*up/down by w*up/down.

    `wraps` says that the map goes on at the opposite edge.
    """
    height, width = whole.shape[-2:]
    margin = MARGIN * down
    result: Tensor | None = None
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            rows, columns = _window(top, tile, margin, height, wraps), _window(left, tile, margin, width, wraps)
            piece = run(whole[:, :, rows][:, :, :, columns].contiguous(memory_format=preferred_format(whole)))
            if result is None:
                result = piece.new_empty(whole.shape[0], piece.shape[1], height * up // down, width * up // down)
            skip_y, skip_x = (_skipped(start, margin, wraps) * up // down for start in (top, left))
            here_y, here_x = (slice(start * up // down, min(start + tile, side) * up // down) for start, side in ((top, height), (left, width)))
            size_y, size_x = here_y.stop - here_y.start, here_x.stop - here_x.start
            result[:, :, here_y, here_x] = piece[:, :, skip_y : skip_y + size_y, skip_x : skip_x + size_x]
    assert result is not None
    return result


def _window(start: int, tile: int, margin: int, length: int, wraps: bool) -> Tensor:
    """Indices of a tile with its surroundings along one side."""
    end = min(start + tile, length)
    if wraps:
        return torch.arange(start - margin, end + margin) % length
    return torch.arange(max(0, start - margin), min(length, end + margin))


def _skipped(start: int, margin: int, wraps: bool) -> int:
    return margin if wraps else min(start, margin)


def _wraps(vae: AutoencoderKL) -> bool:
    return vae.decoder.conv_in.padding_mode == "circular"


def _shrunk(whole: Tensor, side: int) -> Tensor:
    """A version of [B, C, h, w] with about side * side cells; nearest neighbours, which keep how strongly values vary."""
    factor = (side * side / (whole.shape[-2] * whole.shape[-1])) ** 0.5
    if factor >= 1:
        return whole
    height, width = (max(8, round(length * factor) // 8 * 8) for length in whole.shape[-2:])
    return functional.interpolate(whole, size=(height, width), mode="nearest-exact")


def _norms(levels: nn.Module) -> list[nn.GroupNorm]:
    return [module for module in levels.modules() if isinstance(module, nn.GroupNorm)]


@contextmanager
def _statistics_of(norms: list[nn.GroupNorm], run: Callable[[], object]) -> Iterator[None]:
    """While it is open, these norms use the mean and variance that they see during `run`, which comes first."""
    seen: dict[nn.GroupNorm, tuple[Tensor, Tensor]] = {}

    def look(norm: nn.Module, args: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.GroupNorm)
        groups = args[0].float().unflatten(1, (norm.num_groups, -1)).flatten(2)
        seen[norm] = (groups.mean(dim=2), groups.var(dim=2, unbiased=False))

    handles = [norm.register_forward_pre_hook(look) for norm in norms]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    try:
        for norm in norms:
            norm.forward = _fixed(norm, *seen[norm])  # type: ignore[method-assign]
        yield
    finally:
        for norm in norms:
            norm.__dict__.pop("forward", None)


def _fixed(norm: nn.GroupNorm, mean: Tensor, variance: Tensor) -> Callable[[Tensor], Tensor]:
    """The norm with given statistics [B, groups], as one multiplication and addition."""
    channels = norm.num_channels // norm.num_groups
    scale = norm.weight.float() * torch.rsqrt(variance + norm.eps).repeat_interleave(channels, dim=1)
    shift = norm.bias.float() - mean.repeat_interleave(channels, dim=1) * scale
    scale, shift = (values.to(norm.weight.dtype)[:, :, None, None] for values in (scale, shift))
    return lambda x: torch.addcmul(shift, x, scale)
