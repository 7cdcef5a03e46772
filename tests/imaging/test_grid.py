"""The geometry of grids."""

from __future__ import annotations

import json
import re

import pytest
from golden_data import golden
from PIL import Image, ImageChops

from modules.imaging.grid import grid_rows, image_grid

BATCH = 3


def test_sizes_as_recorded() -> None:
    for name, size in json.loads(golden("pure", "image_grid_sizes.json").read_text()).items():
        count, rows, prevent = re.fullmatch(r"n=(\d+) rows=(-?\d+) prevent=(\w+)", name).groups()
        cells = [Image.new("RGB", (8, 8))] * int(count)
        grid = image_grid(cells, BATCH, n_rows=int(rows), prevent_empty_spots=prevent == "True")
        assert list(grid.size) == size, name


def test_cells_are_centred_as_recorded() -> None:
    with Image.open(golden("pure", "images", "grid5.png")) as recorded:
        colours = [recorded.getpixel((12 + 24 * (i % 3), 8 + 16 * (i // 3))) for i in range(5)]
        cells = [Image.new("RGB", (20 + i, 16), colour) for i, colour in enumerate(colours)]
        assert ImageChops.difference(image_grid(cells, n_rows=2), recorded.convert("RGB")).getbbox() is None


@pytest.mark.parametrize("count", range(1, 30))
def test_every_picture_has_a_place(count: int) -> None:
    for n_rows in (-1, 0, 1, 16):
        for prevent in (False, True):
            assert 1 <= grid_rows(count, 4, n_rows=n_rows, prevent_empty_spots=prevent) <= count
