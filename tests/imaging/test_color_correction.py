"""Colour correction against a recorded request, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import golden
from PIL import Image

from modules.imaging.color_correction import WEIGHTS, apply_color_correction, luminosity_blend, setup_color_correction


def test_a_recorded_picture_is_corrected_as_recorded() -> None:
    """The two requests differ in the setting alone, so correcting the first one's picture gives the second's."""
    with (
        Image.open(golden("inputs", "init.png")) as init,
        Image.open(golden("cases", "img2img", "include_init", "0.png")) as plain,
        Image.open(golden("cases", "img2img", "color_correction", "0.png")) as want,
    ):
        got = apply_color_correction(setup_color_correction(init), plain)
        assert np.abs(np.asarray(want.convert("RGB"), int) - np.asarray(got, int)).max() <= 1


def test_its_own_colours_change_a_picture_by_rounding_only() -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(60, 200, (32, 32, 3), dtype=np.uint8))
    got = np.asarray(apply_color_correction(setup_color_correction(image), image), int)
    assert np.abs(got - np.asarray(image, int)).max() <= 6


def test_the_blend_takes_brightness_from_one_and_colour_from_the_other() -> None:
    rng = np.random.default_rng(1)
    colours, brightness = rng.random((2, 16, 16, 3))
    blended = luminosity_blend(colours, brightness)
    assert blended.min() >= 0 and blended.max() <= 1
    assert blended @ WEIGHTS == pytest.approx(brightness @ WEIGHTS, abs=1e-9)
    grey = np.full((1, 1, 3), 0.4)
    assert luminosity_blend(grey, np.ones((1, 1, 3))) == pytest.approx(1)
