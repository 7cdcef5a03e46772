"""The form's values as a request."""

from __future__ import annotations

import pytest

from modules.pipeline.processing import StableDiffusionProcessingTxt2Img
from modules.ui.requests import FIELDS, txt2img_request

VALUES = {
    "prompt": "a cat", "negative_prompt": "a dog", "n_iter": 2.0, "batch_size": 3.0, "cfg_scale": 6.5, "height": 128.0, "width": 192.0,
    "steps": 12.0, "sampler_name": "Euler a", "scheduler": "Karras", "seed": 7.0, "seed_enable_extras": True,
    "styles": ["one"], "enable_hr": True, "denoising_strength": 0.6, "hr_scale": 1.5, "hr_upscaler": "Latent", "hr_second_pass_steps": 5.0,
    "hr_resize_x": 0.0, "hr_resize_y": 256.0, "hr_checkpoint_name": "other", "hr_sampler_name": "Euler", "hr_scheduler": "Karras",
    "hr_prompt": "a big cat", "hr_negative_prompt": "a big dog", "enable_refiner": True, "refiner_checkpoint": "fine",
    "refiner_switch_at": 0.7, "subseed": 8.0, "subseed_strength": 0.25, "seed_resize_from_w": 64.0, "seed_resize_from_h": 96.0,
}  # fmt: skip


def test_every_field_reaches_the_request() -> None:
    request = txt2img_request(VALUES)
    for name in FIELDS:
        if name not in ("seed_enable_extras", "enable_refiner"):
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


def test_what_is_to_be_the_same_is_left_to_the_request() -> None:
    request = txt2img_request({**VALUES, "hr_sampler_name": "Use same sampler", "hr_checkpoint_name": "Use same checkpoint"})
    assert (request.hr_sampler_name, request.hr_checkpoint_name) == (None, None)


def test_the_refiner_counts_only_while_its_switch_is_on() -> None:
    assert txt2img_request({**VALUES, "enable_refiner": False}).refiner_checkpoint is None


def test_an_emptied_number_box_keeps_the_default() -> None:
    assert txt2img_request({**VALUES, "seed": None}).seed == -1


def test_half_a_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="width"):
        txt2img_request({**VALUES, "width": 128.5}).validate()
