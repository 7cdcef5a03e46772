"""How often an upscaler runs and what size comes out."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modules.enhance import upscalers as module
from modules.enhance.errors import ModelMissing, PictureTooLarge, UnknownUpscaler
from modules.enhance.upscalers import Upscalers

LANCZOS = Image.Resampling.LANCZOS


@pytest.mark.parametrize(
    ("scale", "size"), [(1.5, (144, 120)), (2, (200, 168)), (4.3, (424, 360)), (1, (96, 80)), (1.01, (96, 80)), (0.5, (48, 40))]
)
def test_sides_are_multiples_of_eight_rounded_down(upscalers: Upscalers, picture: Image.Image, scale: float, size: tuple[int, int]) -> None:
    for name in ("None", "Lanczos", "Nearest", None):
        assert upscalers.upscale(picture, scale, name).size == size


def test_lanczos_goes_through_the_untruncated_size(upscalers: Upscalers, picture: Image.Image) -> None:
    expected = picture.resize((150, 126), LANCZOS).resize((144, 120), LANCZOS)
    assert upscalers.upscale(picture, 1.5, "Lanczos") == expected


def test_nearest_ends_with_lanczos(upscalers: Upscalers, picture: Image.Image) -> None:
    expected = picture.resize((150, 126), Image.Resampling.NEAREST).resize((144, 120), LANCZOS)
    assert upscalers.upscale(picture, 1.5, "Nearest") == expected


@pytest.mark.parametrize(("scale", "runs"), [(1, 1), (1.01, 0), (2, 1), (3, 2), (5, 3), (40, 3)])
def test_a_network_runs_until_the_size_is_reached_at_most_three_times(
    upscalers: Upscalers, picture: Image.Image, monkeypatch: pytest.MonkeyPatch, scale: float, runs: int
) -> None:
    calls = []

    def doubled(image: Image.Image) -> Image.Image:
        calls.append(image.size)
        return image.resize((image.width * 2, image.height * 2))

    monkeypatch.setattr(Upscalers, "_enlarger", lambda *_: doubled)
    upscalers.upscale(picture, scale, "Lanczos")
    assert len(calls) == runs


def test_an_upscaler_that_does_not_enlarge_runs_once(upscalers: Upscalers, picture: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(Upscalers, "_enlarger", lambda *_: lambda image: calls.append(1) or image.copy())
    assert upscalers.upscale(picture, 3, "Lanczos").size == (296, 248)
    assert len(calls) == 1


def test_unknown_name_tells_the_known_ones(upscalers: Upscalers, picture: Image.Image) -> None:
    with pytest.raises(UnknownUpscaler, match="could not find upscaler named Nope; there are: None, Lanczos, Nearest"):
        upscalers.upscale(picture, 2, "Nope")


def test_a_missing_model_says_what_goes_where(upscalers: Upscalers, picture: Image.Image) -> None:
    with pytest.raises(ModelMissing, match=r"R-ESRGAN 4x\+ needs RealESRGAN_x4plus.pth \(https://.*\): put it into .*RealESRGAN"):
        upscalers.upscale(picture, 2, "R-ESRGAN 4x+")


def test_a_result_beyond_memory_is_refused_before_anything_is_made(upscalers: Upscalers, picture: Image.Image) -> None:
    with pytest.raises(PictureTooLarge, match="million pixels"):
        upscalers.upscale(picture, 900, "Lanczos")


def test_a_tiny_factor_leaves_a_pixel(upscalers: Upscalers, picture: Image.Image) -> None:
    assert upscalers.upscale(picture, 0.01, "Lanczos").size == (1, 1)


def test_what_a_stopped_job_lacks_lanczos_does(golden_upscalers: Upscalers, picture: Image.Image) -> None:
    told = []

    def watch(done: int, total: int) -> bool:
        told.append((done, total))
        return done < 2

    settings = golden_upscalers._options
    settings.set("ESRGAN_tile", 32)
    stopped = golden_upscalers.watched(watch).upscale(picture, 2, "tinyESRGAN_x2", settings)
    assert stopped == picture.resize((200, 168), LANCZOS)
    assert max(done for done, _ in told) == 2
    assert told[-1][1] > 2
    assert golden_upscalers.upscale(picture, 2, "tinyESRGAN_x2") != stopped


def test_the_limit_on_pixels_is_the_documented_one() -> None:
    assert np.isclose(module.MAX_PIXELS, 16_000**2)
