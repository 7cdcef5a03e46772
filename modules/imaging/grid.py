"""Several pictures side by side (geometry of generation.md §9.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image


def grid_rows(count: int, batch_size: int = 1, *, n_rows: int = -1, prevent_empty_spots: bool = False) -> int:
    """Rows of a grid of `count` pictures, 1..count.

    `n_rows` is A1111's setting: -1 finds a number, 0 takes the batch size, anything else is the number.
    """
    if n_rows > 0:
        rows = n_rows
    elif n_rows == 0:
        rows = batch_size
    elif prevent_empty_spots:
        rows = math.isqrt(count)
        while count % rows:
            rows -= 1
    else:
        rows = round(math.sqrt(count))
    return max(1, min(rows, count))


def image_grid(
    images: Sequence[Image.Image],
    batch_size: int = 1,
    rows: int | None = None,
    *,
    n_rows: int = -1,
    prevent_empty_spots: bool = False,
    background: str = "#ffffff",
) -> Image.Image:
    """One RGB picture with all of them row by row, in cells of the largest width and height; smaller ones are centred."""
    rows = rows or grid_rows(len(images), batch_size, n_rows=n_rows, prevent_empty_spots=prevent_empty_spots)
    columns = math.ceil(len(images) / rows)
    width, height = max(image.width for image in images), max(image.height for image in images)
    grid = Image.new("RGB", (columns * width, rows * height), background)
    for index, image in enumerate(images):
        left, top = index % columns * width, index // columns * height
        grid.paste(image, (left + (width - image.width) // 2, top + (height - image.height) // 2))
    return grid
