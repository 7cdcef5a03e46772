"""The img2img form's values as a request."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modules.pipeline.processing import RequestError
from modules.ui.img2img_request import drawn_mask, img2img_request

PICTURE = Image.new("RGBA", (64, 32), "red")
VALUES = {"prompt": "a cat", "width": 128.0, "height": 96.0, "resize_mode": 1, "mask_blur": 6.0, "denoising_strength": 0.5, "steps": 4.0}


def test_a_plain_picture_has_no_mask_and_no_inpainting_fields() -> None:
    request = img2img_request({**VALUES, "mode": 0, "init_img": PICTURE})
    assert request.init_images == [PICTURE]
    assert request.image_mask is None
    assert request.mask_blur is None
    assert (request.width, request.height, request.resize_mode, request.steps) == (128, 96, 1, 4)


def test_what_was_painted_is_the_mask() -> None:
    layer = Image.new("RGBA", PICTURE.size)
    layer.paste((255, 255, 255, 40), (10, 5, 20, 15))
    request = img2img_request({**VALUES, "mode": 1, "init_img_with_mask": {"background": PICTURE, "layers": [layer]}})
    mask = np.asarray(request.image_mask)
    assert mask[5:15, 10:20].min() == 255
    assert mask.sum() == 255 * 100
    assert request.mask_blur == 6


def test_an_untouched_canvas_is_a_black_mask() -> None:
    assert np.asarray(drawn_mask(PICTURE, [])).max() == 0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"mode": 0}, "init_images"),
        ({"mode": 1, "init_img_with_mask": None}, "init_images"),
        ({"mode": 2, "init_img_inpaint": PICTURE}, "mask"),
    ],
)
def test_a_missing_picture_is_named(values: dict, field: str) -> None:
    with pytest.raises(RequestError) as caught:
        img2img_request({**VALUES, **values})
    assert caught.value.field == field


def test_resize_by_is_a_multiple_of_the_picture() -> None:
    request = img2img_request({**VALUES, "mode": 0, "init_img": PICTURE, "selected_scale_tab": 1.0, "scale_by": 1.5})
    assert (request.width, request.height) == (96, 48)
