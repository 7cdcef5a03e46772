"""HyperTile: self-attention within tiles of the feature map instead of over all of it (tfernd/HyperTile)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from torch import Tensor, nn

from modules.nets.attention import SpatialTransformer
from modules.nets.unet import UNetModel
from modules.nets.vae import AutoencoderKL

LEAST_TILE = 128
"""Pixels; smaller tiles spoil the picture."""
CELL = 8
"""Pixels per latent cell."""


@dataclass
class Tiles:
    """How maps are cut: `size` is a tile's least side in pixels, `swap` how many numbers of tiles there are to choose from.

    `random` picks a number for each map and side anew, so that seams do not stay in one place.
    """

    size: int
    swap: int
    random: Random = field(default_factory=Random)

    @classmethod
    def of_picture(cls, width: int, height: int, largest: int, swap: int, random: Random) -> Tiles:
        """Tiles for a picture in pixels: the largest power of two that divides both sides, within `largest` and 128."""
        common = math.gcd(width, height)
        return cls(max(LEAST_TILE, min(common & -common, largest)), swap, random)

    def count(self, length: int, factor: int = 1) -> int:
        """Number of equal tiles along a side of `length` cells; each is at least size / 8 * factor cells long, or there is one."""
        least = min(self.size // CELL * factor, length)
        lengths = [part for part in range(least, length + 1) if length % part == 0]
        return length // self.random.choice(lengths[: max(1, self.swap)])


@contextmanager
def tiled_unet(unet: nn.Module, tiles: Tiles, max_depth: int = 3) -> Iterator[None]:
    """While it is open, the UNet's self-attention works tile by tile on its `max_depth` + 1 finest levels that have attention.

    Hooks do it; networks of another build (SD3) are left alone.
    """
    if not isinstance(unet, UNetModel):
        yield
        return
    finest = next((level for level, depth in enumerate(unet.config.transformer_depth) if depth), 0)
    hooks = _Tiler(tiles, max_depth, finest)
    handles = [unet.register_forward_pre_hook(hooks.see_latent)]
    for transformer in unet.modules():
        if isinstance(transformer, SpatialTransformer):
            handles.append(transformer.register_forward_pre_hook(hooks.see_map))
            for block in transformer.transformer_blocks:
                attention: nn.Module = block.attn1  # type: ignore[assignment]
                handles += [attention.register_forward_pre_hook(hooks.before), attention.register_forward_hook(hooks.after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def tiled_vae(vae: AutoencoderKL, tiles: Tiles) -> Iterator[None]:
    """While it is open, the attention in the middle of the decoder works tile by tile."""
    hooks = _MapTiler(tiles)
    attention = vae.decoder.mid.attn_1
    handles = [attention.register_forward_pre_hook(hooks.before), attention.register_forward_hook(hooks.after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Tiler:
    """Hooks of the UNet: tokens [B, h*w, C] become a batch of tiles and back."""

    def __init__(self, tiles: Tiles, max_depth: int, finest: int) -> None:
        self.tiles, self.max_depth, self.finest = tiles, max_depth, finest
        self.latent_height = 0
        self.map: tuple[int, int] = (0, 0)
        self.counts: tuple[int, int] = (1, 1)

    def see_latent(self, _: nn.Module, args: tuple[Any, ...]) -> None:
        self.latent_height = args[0].shape[-2]

    def see_map(self, _: nn.Module, args: tuple[Any, ...]) -> None:
        self.map = tuple(args[0].shape[-2:])

    @property
    def depth(self) -> int:
        """Halvings between the finest map with attention and this one."""
        return max(0, round(math.log2(self.latent_height / self.map[0])) - self.finest)

    def before(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        self.counts = (1, 1)
        height, width = self.map
        if self.depth > self.max_depth or args[0].shape[1] != height * width:  # merged tokens have no map
            return None
        self.counts = (self.tiles.count(height, 2**self.depth), self.tiles.count(width, 2**self.depth))
        return None if self.counts == (1, 1) else (cut(args[0].unflatten(1, self.map), self.counts).flatten(1, 2), *args[1:])

    def after(self, _: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor | None:
        if self.counts == (1, 1):
            return None
        (down, across), (height, width) = self.counts, self.map
        return join(output.unflatten(1, (height // down, width // across)), self.counts).flatten(1, 2)


class _MapTiler:
    """Hooks of the VAE: maps [B, C, h, w] become a batch of tiles and back."""

    def __init__(self, tiles: Tiles) -> None:
        self.tiles = tiles
        self.counts: tuple[int, int] = (1, 1)

    def before(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        height, width = args[0].shape[-2:]
        self.counts = (self.tiles.count(height), self.tiles.count(width))
        return (cut(args[0].permute(0, 2, 3, 1), self.counts).permute(0, 3, 1, 2), *args[1:])

    def after(self, _: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor:
        return join(output.permute(0, 2, 3, 1), self.counts).permute(0, 3, 1, 2)


def cut(x: Tensor, counts: tuple[int, int]) -> Tensor:
    """[B, h, w, C] -> [B*down*across, h/down, w/across, C]; `counts` are (down, across) and divide h and w."""
    down, across = counts
    return x.unflatten(2, (across, -1)).unflatten(1, (down, -1)).transpose(2, 3).flatten(0, 2)


def join(x: Tensor, counts: tuple[int, int]) -> Tensor:
    """The way back from `cut`."""
    down, across = counts
    return x.unflatten(0, (-1, down, across)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
