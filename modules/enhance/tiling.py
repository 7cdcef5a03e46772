"""Running an upscaling network over a picture in pieces (generation.md §10.7 of the reference)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from modules.imaging.tiles import Grid, combine_grid, split_grid

Watch = Callable[[int, int], bool]
"""Told how many pieces of how many are done; answers False to stop."""


class Stopped(Exception):
    """The watch asked to stop."""


def to_bgr(image: Image.Image, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A picture as [1, 3, H, W] in 0..1.  # A1111: channels in the order blue, green, red, whatever the network was trained on"""
    pixels = np.array(image.convert("RGB"))[:, :, ::-1].transpose(2, 0, 1) / 255
    return torch.from_numpy(np.ascontiguousarray(pixels)).unsqueeze(0).float().to(device=device, dtype=dtype)


def from_bgr(tensor: Tensor) -> Image.Image:
    """The picture of a tensor [1, 3, H, W] in 0..1; rounded to 8 bits, values outside are clamped."""
    pixels = tensor.squeeze(0).float().clamp(0, 1).mul(255).round().to(torch.uint8).cpu().numpy()
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)[:, :, ::-1]), "RGB")


def _one(network: Any, image: Image.Image) -> Image.Image:
    with torch.inference_mode():
        return from_bgr(network(to_bgr(image, network.device, network.dtype)))


def upscale_by_pixels(network: Any, image: Image.Image, tile: int, overlap: int, watch: Watch) -> Image.Image:
    """Tiles cut, enlarged and blended as 8-bit pictures; `tile` 0 takes the picture whole. Raises Stopped."""
    if tile <= 0:
        result = _one(network, image)
        _told(watch, 1, 1)
        return result
    grid = split_grid(image, tile, tile, min(overlap, tile - 1))
    done, scale, rows = 0, 1, []
    for y, height, row in grid.tiles:
        enlarged = []
        for x, width, piece in row:
            result = _one(network, piece)
            scale = result.width // piece.width
            enlarged.append([x * scale, width * scale, result])
            done += 1
            _told(watch, done, grid.tile_count)
        rows.append([y * scale, height * scale, enlarged])
    sizes = (grid.tile_w, grid.tile_h, grid.image_w, grid.image_h, grid.overlap)
    return combine_grid(Grid(rows, *(size * scale for size in sizes)))


def upscale_by_tensors(network: Any, image: Image.Image, tile: int, overlap: int, watch: Watch) -> Image.Image:
    """Tiles enlarged and averaged where they overlap, as tensors; `tile` 0 takes the picture whole. Raises Stopped."""
    with torch.inference_mode():
        pixels = to_bgr(image, network.device, network.dtype)
        return from_bgr(_averaged(network, pixels, tile, overlap, watch) if tile > 0 else network(pixels))


def _averaged(network: Any, pixels: Tensor, tile: int, overlap: int, watch: Watch) -> Tensor:
    height, width = pixels.shape[2:]
    scale = int(network.scale)
    tile = min(tile, height, width)
    overlap = min(overlap, tile - 1)
    total = torch.zeros((1, 3, height * scale, width * scale), dtype=torch.float32, device=pixels.device)
    weight = torch.zeros_like(total[:, :1])
    places = [(y, x) for y in _starts(height, tile, overlap) for x in _starts(width, tile, overlap)]
    for done, (y, x) in enumerate(places, 1):
        result = network(pixels[:, :, y : y + tile, x : x + tile])
        area = (..., slice(y * scale, (y + tile) * scale), slice(x * scale, (x + tile) * scale))
        total[area] += result
        weight[area] += 1
        _told(watch, done, len(places))
    return total / weight


def _starts(size: int, tile: int, overlap: int) -> list[int]:
    return [*range(0, size - tile, tile - overlap), size - tile]


def _told(watch: Watch, done: int, total: int) -> None:
    if not watch(done, total) and done < total:
        raise Stopped
