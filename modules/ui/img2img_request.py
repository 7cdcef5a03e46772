"""From the img2img form's values to a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.ui.requests import common_fields

if TYPE_CHECKING:
    from PIL import Image

    from modules.pipeline.processing import StableDiffusionProcessingImg2Img

PLAIN, INPAINT, UPLOAD = range(3)
"""The form's ways of giving a picture: as it is, with a drawn mask, with a mask from a file."""
PICTURE_FIELDS = ("init_img", "init_img_with_mask", "init_img_inpaint", "init_mask_inpaint", "mode", "selected_scale_tab", "scale_by")
INPAINT_FIELDS = (
    "mask_blur", "inpainting_fill", "inpaint_full_res", "inpaint_full_res_padding", "inpainting_mask_invert",
)  # fmt: skip


def img2img_request(values: Mapping[str, Any]) -> StableDiffusionProcessingImg2Img:
    """Build the request of the img2img form; raises RequestError where the picture or the mask is missing."""
    from modules.pipeline.processing import RequestError, StableDiffusionProcessingImg2Img

    mode = int(values.get("mode") or PLAIN)
    image, mask = _picture(values, mode)
    if image is None:
        raise RequestError("init_images", "choose or drop a picture first")
    if mode == UPLOAD and mask is None:
        raise RequestError("mask", "choose or drop a mask first; white is drawn anew")
    fields = common_fields({name: value for name, value in values.items() if name not in PICTURE_FIELDS})
    if mode == PLAIN:
        fields = {name: value for name, value in fields.items() if name not in INPAINT_FIELDS}
    if int(values.get("selected_scale_tab") or 0) == 1:
        scale = float(values.get("scale_by") or 1)
        fields |= {"width": max(8, int(image.width * scale)), "height": max(8, int(image.height * scale))}
    return StableDiffusionProcessingImg2Img(init_images=[image], mask=mask, **fields)


def _picture(values: Mapping[str, Any], mode: int) -> tuple[Image.Image | None, Image.Image | None]:
    """The picture and the mask of a mode; a mask on which nothing was drawn is black."""
    if mode == PLAIN:
        return values.get("init_img"), None
    if mode == UPLOAD:
        return values.get("init_img_inpaint"), values.get("init_mask_inpaint")
    drawn = values.get("init_img_with_mask") or {}
    image = drawn.get("background")
    return (image, None) if image is None else (image, drawn_mask(image, drawn.get("layers") or []))


def drawn_mask(image: Image.Image, layers: list[Image.Image]) -> Image.Image:
    """White (L) where any layer (RGBA) was painted, however lightly."""
    from PIL import Image, ImageChops

    mask = Image.new("L", image.size)
    for layer in layers:
        alpha = layer.convert("RGBA").getchannel("A").point(lambda value: 255 if value else 0)
        mask = ImageChops.lighter(mask, alpha)
    return mask
