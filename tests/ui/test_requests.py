"""The form's values as a request."""

from __future__ import annotations

import pytest

from modules.pipeline.processing import StableDiffusionProcessingTxt2Img
from modules.ui.requests import FIELDS, txt2img_request

VALUES = {
    "prompt": "a cat", "negative_prompt": "a dog", "n_iter": 2.0, "batch_size": 3.0, "cfg_scale": 6.5, "height": 128.0, "width": 192.0,
    "steps": 12.0, "sampler_name": "Euler a", "scheduler": "Karras", "seed": 7.0, "seed_enable_extras": True,
    "subseed": 8.0, "subseed_strength": 0.25, "seed_resize_from_w": 64.0, "seed_resize_from_h": 96.0,
}  # fmt: skip


def test_every_field_reaches_the_request() -> None:
    request = txt2img_request(VALUES)
    for name in FIELDS:
        if name != "seed_enable_extras":
            assert getattr(request, name) == VALUES[name], name
    request.validate()


def test_whole_numbers_are_whole() -> None:
    request = txt2img_request(VALUES)
    assert all(type(getattr(request, name)) is int for name in ("n_iter", "batch_size", "width", "height", "steps", "seed", "subseed"))


def test_seed_extras_count_only_while_their_box_is_ticked() -> None:
    request = txt2img_request({**VALUES, "seed_enable_extras": False})
    plain = StableDiffusionProcessingTxt2Img()
    for name in ("subseed", "subseed_strength", "seed_resize_from_w", "seed_resize_from_h"):
        assert getattr(request, name) == getattr(plain, name)


def test_an_emptied_number_box_keeps_the_default() -> None:
    assert txt2img_request({**VALUES, "seed": None}).seed == -1


def test_half_a_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="width"):
        txt2img_request({**VALUES, "width": 128.5}).validate()
