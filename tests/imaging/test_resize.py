"""Resize modes against recorded pictures, and what they promise for any size."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from modules.imaging.resize import LANCZOS, ResizeMode, resize_image

NAME = re.compile(r"resize_(\d)_(\d+)x(\d+)_(default|none|nearest|lanczos)")
RESAMPLING = {"nearest": Image.Resampling.NEAREST, "lanczos": LANCZOS}
sides = st.integers(1, 40)


def upscaler(name: str):
    """What A1111's upscalers of these names do: enlarge, then fit to a multiple of 8."""

    def upscale(image: Image.Image, scale: float) -> Image.Image:
        target = (int(image.width * scale // 8 * 8), int(image.height * scale // 8 * 8))
        image = image.resize((int(image.width * scale), int(image.height * scale)), RESAMPLING[name])
        return image if image.size == target else image.resize(target, LANCZOS)

    return upscale if name in RESAMPLING else None


def recorded() -> list[Path]:
    return sorted(golden("pure", "images").glob("resize_*.png"))


def test_modes_are_pixel_identical() -> None:
    with Image.open(golden("inputs", "init_odd.png")) as image:
        image.load()
    files = recorded()
    assert len(files) > 50
    for file in files:
        mode, width, height, name = NAME.fullmatch(file.stem).groups()
        got = resize_image(int(mode), image, int(width), int(height), upscaler(name))
        with Image.open(file) as want:
            assert ImageChops.difference(want.convert("RGB"), got).getbbox() is None, file.name


@given(st.sampled_from(list(ResizeMode)), sides, sides, sides, sides)
def test_the_result_has_the_size_asked_for(mode: int, width: int, height: int, own_width: int, own_height: int) -> None:
    image = Image.new("RGB", (own_width, own_height), "white")
    ratio = own_width / own_height
    if min(own_width * height // own_height, own_height * width // own_width) < 1:
        return  # so thin that nothing of it would be left
    assert resize_image(mode, image, width, height).size == (width, height), ratio


def test_filling_continues_the_edges() -> None:
    image = Image.new("RGB", (16, 16), "red")
    image.paste("blue", (0, 0, 16, 1))
    wide = resize_image(ResizeMode.RESIZE_AND_FILL, image, 16, 48)
    assert wide.getpixel((8, 0)) == wide.getpixel((8, 15)) == (0, 0, 255)
    assert wide.getpixel((8, 47)) == (255, 0, 0)


def test_a_mask_is_never_upscaled_by_a_network() -> None:
    def upscale(image: Image.Image, scale: float) -> Image.Image:
        raise AssertionError("masks are enlarged by Lanczos")

    assert resize_image(0, Image.new("L", (4, 4)), 8, 8, upscale).size == (8, 8)


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_modes_that_paste_give_rgb(mode: int) -> None:
    assert resize_image(mode, Image.new("L", (4, 8), 200), 8, 8).mode == "RGB"
