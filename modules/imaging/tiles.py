"""Cutting a picture into overlapping tiles and blending them together again (generation.md §10.4 of the reference)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass
class Grid:
    """Overlapping tiles: `tiles` holds rows `[y, height, [[x, width, picture], …]]`, sizes in pixels of the whole picture.

    The fields and their order are A1111's; scripts replace the pictures inside `tiles`.
    """

    tiles: list[list]
    tile_w: int
    tile_h: int
    image_w: int
    image_h: int
    overlap: int

    @property
    def tile_count(self) -> int:
        return sum(len(row[2]) for row in self.tiles)


def tile_starts(size: int, tile: int, overlap: int) -> list[int]:
    """Where tiles of `tile` pixels begin to cover `size` pixels with at least `overlap` in common; the last ends flush.

    # A1111: a picture smaller than a tile gets one that begins left of it, at a negative position
    Raises ValueError when the overlap leaves no step forward.
    """
    if not 0 <= overlap < tile:
        raise ValueError(f"tiles of {tile} pixels cannot overlap by {overlap}")
    count = max(1, math.ceil((size - overlap) / (tile - overlap)))
    step = (size - tile) / (count - 1) if count > 1 else 0
    return [size - tile if int(index * step) + tile >= size else int(index * step) for index in range(count)]


def split_grid(image: Image.Image, tile_w: int = 512, tile_h: int = 512, overlap: int = 64) -> Grid:
    """The picture as tiles of `tile_w` x `tile_h`; what lies outside the picture is black. Raises ValueError as `tile_starts`."""
    width, height = image.size
    columns = tile_starts(width, tile_w, overlap)
    rows = [
        [y, tile_h, [[x, tile_w, image.crop((x, y, x + tile_w, y + tile_h))] for x in columns]]
        for y in tile_starts(height, tile_h, overlap)
    ]
    return Grid(rows, tile_w, tile_h, width, height, overlap)


def combine_grid(grid: Grid) -> Image.Image:
    """The tiles as one RGB picture; each fades in over its first `overlap` pixels, to the right and then downwards."""
    ramp = _ramp(grid.overlap)
    to_right = Image.fromarray(np.repeat(ramp[None, :], grid.tile_h, axis=0), "L") if grid.overlap else None
    downwards = Image.fromarray(np.repeat(ramp[:, None], grid.image_w, axis=1), "L") if grid.overlap else None
    whole = Image.new("RGB", (grid.image_w, grid.image_h))
    for y, height, row in grid.tiles:
        strip = Image.new("RGB", (grid.image_w, height))
        for x, width, tile in row:
            _paste_faded(strip, tile, (x, 0), (grid.overlap, height), (width, height), to_right if x else None)
        _paste_faded(whole, strip, (0, y), (strip.width, grid.overlap), strip.size, downwards if y else None)
    return whole


def _ramp(length: int) -> np.ndarray:
    """0 to just below 255 over `length` pixels, as 8-bit."""
    return (np.arange(length, dtype=np.float32) * 255 / max(length, 1)).astype(np.uint8)


def _paste_faded(
    onto: Image.Image,
    piece: Image.Image,
    at: tuple[int, int],
    faded: tuple[int, int],
    size: tuple[int, int],
    mask: Image.Image | None,
) -> None:
    """Paste `piece`, its first `faded` pixels through `mask`; without a mask all of it."""
    if mask is None:
        onto.paste(piece, at)
        return
    sideways = faded[1] == size[1]
    rest = (faded[0], 0, *size) if sideways else (0, faded[1], *size)
    onto.paste(piece.crop((0, 0, *faded)), at, mask)
    onto.paste(piece.crop(rest), (at[0] + rest[0], at[1] + rest[1]))
