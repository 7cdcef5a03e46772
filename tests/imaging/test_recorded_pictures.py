"""Pictures that the original's own image functions made: tiles, transparency, fills, legends."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from golden_data import golden
from PIL import Image

from modules.imaging.fill import fill_masked
from modules.imaging.grid import image_grid
from modules.imaging.legend import GridAnnotation, draw_grid_annotations, matrix_legend
from modules.imaging.reading import flatten
from modules.imaging.tiles import combine_grid, split_grid


def recorded(name: str) -> np.ndarray:
    with Image.open(golden("pure", "images", f"{name}.png")) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def given(name: str) -> Image.Image:
    with Image.open(golden("inputs", name)) as image:
        image.load()
        return image


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).astype(int)


def test_tiles_of_every_recorded_size() -> None:
    for name, rows in json.loads(golden("pure", "split_grid.json").read_text("utf-8")).items():
        width, height, tile_w, tile_h, overlap = map(int, re.findall(r"\d+", name))
        grid = split_grid(Image.new("RGB", (width, height)), tile_w, tile_h, overlap)
        assert [[y, tall, [[x, wide] for x, wide, _ in row]] for y, tall, row in grid.tiles] == rows


def test_changed_tiles_are_blended_as_recorded() -> None:
    grid = split_grid(given("init_big.png").convert("RGB"), 64, 64, 16)
    for _, _, row in grid.tiles:
        for index, tile in enumerate(row):
            tile[2] = Image.fromarray((np.asarray(tile[2]) + np.uint8(17 * index)).astype(np.uint8))
    assert np.array_equal(pixels(combine_grid(grid)), recorded("combine_grid"))


def test_transparent_parts_take_the_background() -> None:
    assert np.array_equal(pixels(flatten(given("init_rgba.png"), "#8020ff")), recorded("flatten"))


@pytest.mark.parametrize(("name", "image", "mask"), [("fill_init", "init.png", "mask.png"), ("fill_big", "init_big.png", "mask_big.png")])
def test_masked_parts_are_filled(name: str, image: str, mask: str) -> None:
    assert np.array_equal(pixels(fill_masked(given(image).convert("RGB"), given(mask).convert("L"))), recorded(name))


def cells(count: int, step: int) -> list[Image.Image]:
    return [Image.new("RGB", (64, 64), (step * index, 90, 120)) for index in range(count)]


def test_the_legend_of_a_prompt_matrix() -> None:
    across, down = matrix_legend(["red", "big", "blue"])
    drawn = draw_grid_annotations(image_grid(cells(8, 20), rows=2), 64, 64, across, down)
    difference = np.abs(pixels(drawn) - recorded("prompt_matrix"))
    assert difference.max() <= 60, "letters are drawn a little differently by each FreeType"
    assert (difference.max(axis=2) > 8).mean() < 0.01


def test_the_cells_of_a_grid_with_legend_and_margins() -> None:
    across = [[GridAnnotation("Steps: 2")], [GridAnnotation("Steps: 10, long label wraps around here")], [GridAnnotation("")]]
    down = [[GridAnnotation("row a")], [GridAnnotation("")]]
    drawn, expected = pixels(draw_grid_annotations(image_grid(cells(6, 40), rows=2), 64, 64, across, down, margin=4)), recorded("annotated")
    assert drawn.shape[1] == expected.shape[1]
    assert np.array_equal(drawn[-132:, 48:], expected[-132:, 48:])
