"""Splitting, auto-sized and focal cropping."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modules.enhance.crops import best_size, center_crop, fitted, limited, split_oversized
from modules.enhance.errors import BadStep
from modules.enhance.focal_crop import Weights, corner_points, entropy_points, focal_crop


def test_limited_brings_the_longer_side_to_the_limit() -> None:
    assert limited(400, 336, 200) == (200, 168)
    assert limited(336, 400, 200) == (168, 200)


def test_fitted_centres_on_black(picture: Image.Image) -> None:
    frame = fitted(picture, 120, 60)
    assert frame.size == (120, 60)
    assert frame.getpixel((0, 30)) == (0, 0, 0)
    assert frame.getpixel((60, 30)) == picture.getpixel((50, 42))


@pytest.mark.parametrize(("size", "pieces"), [((100, 100), 1), ((100, 400), 5), ((400, 100), 5), ((100, 190), 1), ((100, 200), 3)])
def test_split_oversized_covers_the_long_side(size: tuple[int, int], pieces: int) -> None:
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    found = split_oversized(image, 64, 64, threshold=0.5, overlap=0.2)
    assert len(found) == pieces
    if pieces > 1:
        assert {piece.size for piece in found} == {(64, 64)}


@pytest.mark.parametrize("overlap", [1.0, -0.1, 0.9999])
def test_split_refuses_overlaps_without_end(overlap: float) -> None:
    with pytest.raises(BadStep, match="overlap_ratio"):
        split_oversized(Image.new("RGB", (10, 1000)), 10, 10, threshold=0.5, overlap=overlap)


def test_best_size_by_area_and_by_error() -> None:
    image = Image.new("RGB", (900, 600))
    bounds = {"smallest": 384, "largest": 768, "min_area": 64 * 64, "max_area": 640 * 640}
    assert best_size(image, objective="Maximize area", threshold=0.1, **bounds) == (768, 512)
    width, height = best_size(image, objective="Minimize error", threshold=0.1, **bounds) or (0, 0)
    assert width / height == pytest.approx(1.5)
    assert best_size(Image.new("RGB", (5000, 10)), objective="Maximize area", threshold=0.1, **bounds) is None


def test_best_size_bounds_its_search() -> None:
    with pytest.raises(BadStep, match="mindim, maxdim"):
        best_size(Image.new("RGB", (9, 9)), smallest=1, largest=10**9, min_area=1, max_area=10**18, objective="Maximize area", threshold=1)


def test_center_crop_keeps_the_middle() -> None:
    image = Image.new("RGB", (300, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    cropped = np.asarray(center_crop(image, 50, 50), dtype=int)
    assert cropped.shape == (50, 50, 3)
    assert np.abs(cropped[5:-5, 5:-5] - (0, 0, 255)).max() <= 1


def test_focal_crop_goes_where_the_detail_is() -> None:
    image = Image.new("RGB", (400, 100), "grey")
    noise = np.random.default_rng(3).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    image.paste(Image.fromarray(noise), (310, 10))
    cropped, drawn = focal_crop(image, 100, 100, Weights(face=0, entropy=0, corners=1), None)
    assert cropped.size == (100, 100)
    assert np.asarray(cropped).std() > 20
    assert drawn.size == image.size
    assert min(x for x, _ in corner_points(image)) > 290


def test_focal_crop_without_any_point_takes_the_middle() -> None:
    image = Image.new("RGB", (64, 64), "white")
    cropped, _ = focal_crop(image, 32, 64, Weights(face=1, entropy=0, corners=0), None)
    assert cropped.size == (32, 64)


def test_entropy_is_highest_where_black_and_white_balance() -> None:
    image = Image.new("RGB", (400, 100), "white")
    image.paste("black", (250, 0, 300, 100))
    [(x, y)] = entropy_points(image, 100, 100)
    assert 200 <= x <= 350
    assert y == 50
    assert entropy_points(Image.new("RGB", (9, 9)), 3, 3) == []
