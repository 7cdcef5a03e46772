"""Legends around grids, compared with grids of the original: its cells are cut out and annotated again."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import golden
from PIL import Image

from modules.imaging.legend import GridAnnotation, draw_grid_annotations, matrix_legend

NO_ROWS = [[GridAnnotation()]]


def texts(*words: str) -> list[list[GridAnnotation]]:
    return [[GridAnnotation(word)] for word in words]


def cells_of(picture: Image.Image, width: int, height: int, columns: int, rows: int, left: int, margin: int) -> Image.Image:
    top = picture.height - rows * height - margin * (rows - 1)
    grid = Image.new("RGB", (columns * width, rows * height))
    for row in range(rows):
        for column in range(columns):
            x, y = left + column * (width + margin), top + row * (height + margin)
            grid.paste(picture.crop((x, y, x + width, y + height)), (column * width, row * height))
    return grid


def psnr(a: Image.Image, b: Image.Image) -> float:
    error = ((np.asarray(a, float) - np.asarray(b, float)) ** 2).mean()
    return 999.0 if error == 0 else float(10 * np.log10(255**2 / error))


@pytest.mark.parametrize(
    ("case", "size", "above", "beside", "margin"),
    [
        ("xyz/cfg", (64, 64), texts("CFG Scale: 1.0", "CFG Scale: 3.5", "CFG Scale: 7.0"), NO_ROWS, 0),
        ("xyz/xy", (64, 64), texts("CFG Scale: 1.0", "CFG Scale: 7.0"), texts("Euler", "DPM++ 2M"), 0),
        ("xyz/margin", (64, 64), texts("Steps: 2", "Steps: 4"), texts("Seed: 1", "Seed: 2"), 10),
        ("xyz/hr_upscaler", (96, 96), texts("Hires upscaler: Latent", "Hires upscaler: Lanczos"), NO_ROWS, 0),
        ("xyz/checkpoint", (64, 64), texts("tiny-sd1.safetensors [5e0815c66b]", "tiny-sd1-b.safetensors"), NO_ROWS, 0),
        ("xyz/denoise_i2i", (64, 64), texts("Denoising: 0.2", "Denoising: 0.8"), NO_ROWS, 0),
        ("xyz/xyz", (176, 136), texts("Seed: 1", "Seed: 2"), NO_ROWS, 0),
        ("scripts/prompt_matrix_4", (64, 64), *matrix_legend(["a", "b", "c"]), 2),
    ],
)
def test_legends_look_like_the_original(case: str, size: tuple[int, int], above: list, beside: list, margin: int) -> None:
    recorded = Image.open(golden("cases", *case.split("/"), "0.png")).convert("RGB")
    left = 0 if beside is NO_ROWS else size[0] * 3 // 4
    grid = cells_of(recorded, *size, len(above), len(beside), left, margin)
    ours = draw_grid_annotations(grid, *size, above, beside, margin)
    assert ours.size == recorded.size
    assert psnr(ours, recorded) >= 41


def test_without_texts_only_the_margin_is_added() -> None:
    grid = Image.new("RGB", (20, 10), "red")
    assert draw_grid_annotations(grid, 10, 10, texts("", ""), NO_ROWS, 4).size == (24, 10)


def test_a_legend_of_another_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match="2x1"):
        draw_grid_annotations(Image.new("RGB", (20, 10)), 10, 10, texts("one"), NO_ROWS)


def test_every_subset_of_a_matrix_has_its_place() -> None:
    above, beside = matrix_legend(["a", "b", "c"])
    assert [[text.is_active for text in column] for column in above] == [[False, False], [True, False], [False, True], [True, True]]
    assert [[text.text for text in row] for row in beside] == [["c"], ["c"]]
