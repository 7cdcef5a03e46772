"""Noise shaped like a picture, for outpainting."""

from __future__ import annotations

import numpy as np
import pytest

from modules.imaging.matched_noise import match_histograms, matched_noise

PICTURE = np.random.default_rng(7).random((32, 48, 3)) * 0.5 + 0.25


def half_masked() -> np.ndarray:
    mask = np.zeros_like(PICTURE)
    mask[:, 24:] = 1
    return mask


def test_what_is_known_stays_and_the_rest_has_its_colours() -> None:
    mask = half_masked()
    drawn = matched_noise(PICTURE * (1 - mask), mask)
    assert np.array_equal(drawn[:, :24], PICTURE[:, :24])
    known, new = drawn[:, :24].reshape(-1, 3), drawn[:, 24:].reshape(-1, 3)
    assert np.sort(new, axis=0) == pytest.approx(np.sort(known, axis=0), abs=0.02)
    assert np.std(new) > 0.05


def test_it_is_the_same_every_time() -> None:
    mask = half_masked()
    assert np.array_equal(matched_noise(PICTURE, mask, 1.5, 0.0), matched_noise(PICTURE, mask, 1.5, 0.0))


def test_a_black_picture_and_a_full_mask_do_not_divide_by_zero() -> None:
    black, everything = np.zeros((16, 16, 3)), np.ones((16, 16, 3))
    assert np.isfinite(matched_noise(black, everything)).all()
    assert np.isfinite(matched_noise(black, np.zeros_like(black))).all()


def test_matched_values_keep_their_order() -> None:
    source, wanted = np.array([[3.0], [1.0], [2.0]]), np.array([[10.0], [20.0], [30.0]])
    assert match_histograms(source, wanted).tolist() == [[30.0], [10.0], [20.0]]
