"""Sketches, folders of pictures, and the filter of soft inpainting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modules.imaging.folders import visible_files, walk_pictures
from modules.imaging.histogram_filter import gaussian_kernel, weighted_histogram_filter
from modules.imaging.sketch import sketch_inpaint


def test_a_sketch_masks_what_was_drawn() -> None:
    original = Image.new("RGB", (32, 32), "white")
    sketched = original.copy()
    sketched.paste("red", (8, 8, 24, 24))
    image, mask = sketch_inpaint(sketched, original, 0, 50)
    assert mask.getbbox() == (8, 8, 24, 24) and mask.getpixel((16, 16)) == 127
    assert image.getpixel((0, 0)) == (255, 255, 255)
    red, green, _ = image.getpixel((16, 16))
    assert red == 255 and 120 < green < 135  # half transparent
    soft, _ = sketch_inpaint(sketched, original, 4, 0)
    assert soft.getpixel((7, 16)) not in ((255, 255, 255), (255, 0, 0))


def test_a_sketch_on_another_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="must be alike"):
        sketch_inpaint(Image.new("RGB", (4, 4)), Image.new("RGB", (5, 4)), 0, 0)


def test_pictures_are_walked_in_the_order_of_people(tmp_path: Path) -> None:
    for name in ("b2.png", "b10.JPG", "a.txt", "sub/c.webp", ".hidden/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in walk_pictures(tmp_path)]
    assert names == ["b2.png", "b10.JPG", ".hidden/d.png", "sub/c.webp"]
    assert ".hidden/d.png" not in [path.relative_to(tmp_path).as_posix() for path in walk_pictures(tmp_path, hidden=False)]
    assert [path.name for path in visible_files(tmp_path)] == ["a.txt", "b2.png", "b10.JPG"]


def test_the_kernel_is_one_in_the_middle_and_falls_to_nothing() -> None:
    kernel = gaussian_kernel(1.5, 2)
    assert kernel.shape == (5, 5) and kernel[2, 2] == 1
    assert np.array_equal(kernel, kernel.T) and kernel.min() >= 0
    assert kernel[0, 0] < kernel[0, 1] < kernel[0, 2] < kernel[1, 2]


@given(st.integers(1, 7), st.integers(1, 7), st.floats(0, 0.9), st.integers(0, 9))
def test_the_filter_stays_between_neighbours(height: int, width: int, low: float, seed: int) -> None:
    values = np.random.default_rng(seed).random((height, width))
    result = weighted_histogram_filter(values, gaussian_kernel(1.5, 2), low, min(low + 0.3, 1.0), min_width=1)
    assert result.shape == values.shape
    assert (result >= values.min() - 1e-12).all() and (result <= values.max() + 1e-12).all()


def test_the_filter_drops_outliers_in_the_middle_window() -> None:
    values = np.zeros((9, 9))
    values[4, 4] = 100.0
    kernel = np.ones((5, 5))
    assert weighted_histogram_filter(values, kernel, 0.25, 0.75, min_width=1).max() == 0
    assert weighted_histogram_filter(values, kernel, 0.9, 1.0, min_width=1)[4, 4] == pytest.approx(100 / 2.5)
