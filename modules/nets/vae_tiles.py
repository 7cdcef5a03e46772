"""The autoencoder piece by piece, for pictures whose feature maps do not fit into memory; the result is that of the whole.

The middle with its attention, at the latent's resolution, runs on all of it. Each level above runs on tiles with as much
surroundings as its convolutions reach, and its result waits in main memory for the next level. A group norm needs the mean
and variance of the whole map: the tiles are run up to each norm of the level in turn to learn them, then through to its end,
which takes about four times the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.convolution import preferred_format, quick_convolutions
from modules.nets.vae import AutoencoderKL, Decoder, DiagonalGaussian, Encoder

TILE = 512
"""Cells along a tile's side at any level, without its surroundings; at the finest level that is pixels."""


def decode_tiled(vae: AutoencoderKL, z: Tensor, tile: int = TILE) -> Tensor:
    """Pictures [B, 3, 8h, 8w] of unscaled latents [B, C, h, w], as `vae.decode` gives them, one at a time."""
    return torch.cat([_decode(vae, row[None], tile) for row in z])


def encode_tiled(vae: AutoencoderKL, x: Tensor, tile: int = TILE) -> DiagonalGaussian:
    """Distribution of the latents of pictures [B, 3, H, W] in -1..1, as `vae.encode` gives it, one at a time."""
    rows = [_encode(vae, row[None], tile) for row in x]
    return DiagonalGaussian(torch.cat([row.mean for row in rows]), torch.cat([row.logvar for row in rows]))


def _decode(vae: AutoencoderKL, z: Tensor, tile: int) -> Tensor:
    z = z.to(vae.dtype, memory_format=preferred_format(z))
    with quick_convolutions(z):
        h = vae.decoder.to_middle(vae.post_quant_conv(z) if vae.config.use_quant_conv else z)
        return _through(_decoder_parts(vae.decoder), h, tile, wraps=_wraps(vae))


def _encode(vae: AutoencoderKL, x: Tensor, tile: int) -> DiagonalGaussian:
    scale = vae.config.scale_factor
    x = x[..., : x.shape[-2] // scale * scale, : x.shape[-1] // scale * scale]
    x = x.to(vae.dtype, memory_format=preferred_format(x))
    with quick_convolutions(x):
        moments = vae.encoder.from_middle(_through(_encoder_parts(vae.encoder), x, tile, wraps=_wraps(vae)))
        return DiagonalGaussian.of_moments(vae.quant_conv(moments) if vae.config.use_quant_conv else moments)


@dataclass(frozen=True)
class _Part:
    """The layers of one level: `norms` in running order, `reach` of the convolutions in cells of the input, change of size."""

    run: Callable[[Tensor], Tensor]
    norms: Sequence[nn.GroupNorm]
    reach: int
    up: int = 1
    down: int = 1


def _decoder_parts(decoder: Decoder) -> list[_Part]:
    levels = list(reversed(decoder.up))
    return [_decoder_part(decoder, levels[i - 1] if i else None, level, level is levels[-1]) for i, level in enumerate(levels)]


def _decoder_part(decoder: Decoder, before: nn.Module | None, level: nn.Module, last: bool) -> _Part:
    """The doubling at the end of the level before, this level's blocks, and behind the last one the way to colours."""

    def run(x: Tensor) -> Tensor:
        x = x if before is None else before.upsample(x)  # type: ignore[operator]
        for block in level.block:  # type: ignore[union-attr]
            x = block(x)
        return decoder.conv_out(functional.silu(decoder.norm_out(x))) if last else x

    up = 1 if before is None else 2
    norms = [*_norms(level), *([decoder.norm_out] if last else [])]
    return _Part(run, norms, math.ceil((len(norms) + 1) / up), up=up)


def _encoder_parts(encoder: Encoder) -> list[_Part]:
    return [_encoder_part(encoder, level, level is encoder.down[0]) for level in encoder.down]


def _encoder_part(encoder: Encoder, level: nn.Module, first: bool) -> _Part:
    """The way from colours before the first level, this level's blocks, and the halving at its end."""

    def run(x: Tensor) -> Tensor:
        return level(encoder.conv_in(x) if first else x)

    norms = _norms(level)
    return _Part(run, norms, math.ceil((len(norms) + 2) / 2) * 2, down=1 if level.resample is None else 2)


def _norms(level: nn.Module) -> list[nn.GroupNorm]:
    return [module for module in level.modules() if isinstance(module, nn.GroupNorm)]


def _wraps(vae: AutoencoderKL) -> bool:
    """Whether pictures go on at the opposite edge."""
    return vae.decoder.conv_in.padding_mode == "circular"


def _through(parts: list[_Part], x: Tensor, tile: int, *, wraps: bool) -> Tensor:
    """All levels in turn; between them the map [1, C, h, w] lies in main memory."""
    device = x.device
    for part in parts:
        tiles = list(_tiles(part, x.shape[2], x.shape[3], tile, wraps))
        x = part.run(x.to(device)) if len(tiles) == 1 else _in_tiles(part, x, tiles, device)
        x = x if part is parts[-1] else x.cpu()
    return x.to(device)


@dataclass(frozen=True)
class _Tile:
    """Where a tile with its surroundings is read, and its own part in cells of the input: in the map, and within what was read."""

    rows: Tensor
    columns: Tensor
    own: tuple[slice, slice]
    inner: tuple[slice, slice]

    def read(self, whole: Tensor, device: torch.device) -> Tensor:
        return whole[:, :, self.rows][:, :, :, self.columns].to(device, memory_format=preferred_format(torch.empty(0, device=device)))


def _tiles(part: _Part, height: int, width: int, tile: int, wraps: bool) -> Iterator[_Tile]:
    """Tiles of about equal size that make up the map, none longer than `tile` cells of the larger of input and output."""
    down, across = (list(_stretches(length, tile // part.up, part.reach, wraps)) for length in (height, width))
    for rows, own_rows, inner_rows in down:
        for columns, own_columns, inner_columns in across:
            yield _Tile(rows, columns, (own_rows, own_columns), (inner_rows, inner_columns))


def _stretches(length: int, longest: int, reach: int, wraps: bool) -> Iterator[tuple[Tensor, slice, slice]]:
    count = math.ceil(length / max(2, longest))
    step = math.ceil(length / count / 2) * 2
    for start in range(0, length, step):
        end = min(start + step, length)
        first = start - reach if wraps and count > 1 else max(0, start - reach)
        last = end + reach if wraps and count > 1 else min(length, end + reach)
        yield torch.arange(first, last) % length, slice(start, end), slice(start - first, end - first)


def _in_tiles(part: _Part, x: Tensor, tiles: list[_Tile], device: torch.device) -> Tensor:
    with ExitStack() as stack:
        for norm in part.norms:
            statistics = _Statistics()
            with statistics.watching(norm):
                for tile in tiles:
                    statistics.look_at(part, tile, tile.read(x, device))
            stack.enter_context(_fixed(norm, statistics))
        result: Tensor | None = None
        for tile in tiles:
            inner, own = _scaled(tile.inner, part), _scaled(tile.own, part)
            piece = part.run(tile.read(x, device))[:, :, inner[0], inner[1]].cpu()
            if result is None:
                result = piece.new_empty(1, piece.shape[1], *(side * part.up // part.down for side in x.shape[2:]))
            result[:, :, own[0], own[1]] = piece
    assert result is not None
    return result


def _scaled(region: tuple[slice, slice], part: _Part) -> tuple[slice, ...]:
    return tuple(slice(s.start * part.up // part.down, s.stop * part.up // part.down) for s in region)


class _Reached(Exception):
    """The layer that was waited for has been reached; the rest of the level is not needed."""


class _Statistics:
    """Mean and variance [1, groups] of a norm's input over the tiles' own parts, joined pairwise (Chan et al. 1983)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(())
        self.squares = torch.zeros(())
        self._inner: tuple[slice, slice] = (slice(0), slice(0))
        self._length = 1

    def look_at(self, part: _Part, tile: _Tile, x: Tensor) -> None:
        self._inner, self._length = tile.inner, x.shape[-1]
        try:
            part.run(x)
        except _Reached:
            return
        raise AssertionError("the level runs its norms in another order than it holds them")

    @contextmanager
    def watching(self, norm: nn.GroupNorm) -> Iterator[None]:
        handle = norm.register_forward_pre_hook(self._see)
        try:
            yield
        finally:
            handle.remove()

    def _see(self, norm: nn.Module, args: tuple[Tensor, ...]) -> None:
        x, groups = args[0], int(norm.num_groups)  # type: ignore[arg-type]
        factor = x.shape[-1] // self._length
        rows, columns = (slice(s.start * factor, s.stop * factor) for s in self._inner)
        values = x[:, :, rows, columns].float().reshape(x.shape[0], groups, -1)
        variance, mean = (t.cpu().double() for t in torch.var_mean(values, dim=2, correction=0))
        total = self.count + values.shape[2]
        shift = mean - self.mean
        self.squares = self.squares + variance * values.shape[2] + shift**2 * (self.count * values.shape[2] / total)
        self.mean = self.mean + shift * (values.shape[2] / total)
        self.count = total
        raise _Reached


@contextmanager
def _fixed(norm: nn.GroupNorm, statistics: _Statistics) -> Iterator[None]:
    """While it is open, the norm uses these statistics whatever it is given: one multiplication and addition per cell."""
    channels = norm.num_channels // norm.num_groups
    spread = torch.rsqrt(statistics.squares / statistics.count + norm.eps).repeat_interleave(channels, dim=1)
    scale = norm.weight.cpu().double() * spread
    shift = norm.bias.cpu().double() - statistics.mean.repeat_interleave(channels, dim=1) * scale
    scale, shift = (values.to(norm.weight)[:, :, None, None] for values in (scale, shift))
    norm.forward = lambda x: torch.addcmul(shift, x, scale)  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        del norm.__dict__["forward"]
