"""Masks, filling and overlays: recorded pictures and small hand-made ones."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import golden
from PIL import Image, ImageChops

from modules.imaging.fill import fill_masked
from modules.imaging.mask import blur_mask, create_binary_mask, latent_mask, overlay_mask
from modules.imaging.overlay import apply_overlay, mask_composite, overlay_of, uncrop
from modules.imaging.reading import corrected, flatten

ORIENTATION = 0x0112


def opened(*parts: str) -> Image.Image:
    with Image.open(golden(*parts)) as image:
        image.load()
        return image


def same(a: Image.Image, b: Image.Image) -> bool:
    return ImageChops.difference(a.convert("RGB"), b.convert("RGB")).getbbox() is None


@pytest.mark.parametrize(("image", "mask"), [("init", "mask"), ("big", "mask_big")])
def test_filling_is_pixel_identical(image: str, mask: str) -> None:
    source = opened("inputs", "init_big.png" if image == "big" else "init.png")
    assert same(fill_masked(source, opened("inputs", f"{mask}.png")), opened("pure", "images", f"fill_{image}.png"))


def test_flattening_is_pixel_identical() -> None:
    assert same(flatten(opened("inputs", "init_rgba.png"), "#8020ff"), opened("pure", "images", "flatten.png"))


def test_a_mask_is_the_alpha_channel_where_that_varies() -> None:
    image = Image.new("RGBA", (3, 1), (255, 255, 255, 255))
    image.putpixel((0, 0), (255, 255, 255, 128))
    image.putpixel((1, 0), (0, 0, 0, 129))
    assert np.array(create_binary_mask(image))[0].tolist() == [0, 255, 255]
    assert np.array(create_binary_mask(image, round=False))[0].tolist() == [128, 129, 255]
    opaque = Image.new("RGBA", (1, 1), (100, 100, 100, 255))
    assert np.array(create_binary_mask(opaque))[0].tolist() == [100]


def test_blur_runs_along_one_side_at_a_time() -> None:
    mask = Image.new("L", (31, 31))
    mask.putpixel((15, 15), 255)
    along_x = np.array(blur_mask(mask, 2, 0))
    assert along_x[15].sum() > 200 and along_x.sum() == along_x[15].sum()
    assert np.array_equal(np.array(blur_mask(mask, 0, 2)), along_x.T)
    assert same(blur_mask(mask, 0, 0), mask)


def test_latent_masks_are_black_and_white_only_when_rounded() -> None:
    mask = Image.new("L", (16, 16), 127)
    assert latent_mask(mask, 2, 2).tolist() == [[0, 0], [0, 0]]
    assert latent_mask(mask, 2, 2, round=False) == pytest.approx(127 / 255)


def test_the_overlay_shows_the_original_where_nothing_was_masked() -> None:
    image, drawn = Image.new("RGB", (2, 1), "red"), Image.new("RGB", (2, 1), "blue")
    mask = Image.new("L", (2, 1))
    mask.putpixel((0, 0), 255)
    composed, alone = apply_overlay(drawn, None, overlay_of(image, mask))
    assert [composed.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 255), (255, 0, 0)]
    assert same(alone, drawn)
    assert mask_composite(drawn, mask).getpixel((1, 0))[3] == 0
    assert overlay_mask(Image.new("L", (1, 1), 140)).getpixel((0, 0)) == 255


def test_a_drawn_part_goes_back_to_its_place() -> None:
    canvas = uncrop(Image.new("RGB", (8, 8), "blue"), (10, 6), (2, 1, 4, 4))
    assert canvas.getbbox() == (2, 1, 6, 5)


def test_without_an_overlay_the_picture_stays() -> None:
    drawn = Image.new("RGB", (2, 2), "blue")
    assert apply_overlay(drawn, (0, 0, 1, 1), None)[0] is drawn


def test_pictures_are_turned_upright_and_keep_their_transparency() -> None:
    turned = Image.new("RGB", (4, 2))
    turned.getexif()[ORIENTATION] = 6
    assert corrected(turned).size == (2, 4)
    palette = Image.new("P", (2, 2))
    palette.info["transparency"] = b"\0\xff"
    assert corrected(palette).mode == "RGBA"
    assert corrected(Image.new("P", (2, 2))).mode == "P"
