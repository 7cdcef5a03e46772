"""From a body of the Extras routes to the engine's request."""

from __future__ import annotations

from typing import Any

from modules.extend.extras import ExtrasRequest
from modules.settings.store import Options

from . import models
from .pictures import decode_image


def extras_request(body: models.ExtrasBatchImagesRequest, options: Options) -> ExtrasRequest:
    """The request with its pictures decoded. Raises HTTPException 422 that names the picture that cannot be read."""
    fields = [f"imageList[{index}].data" for index in range(len(body.imageList))]
    images = [decode_image(file.data, field) for file, field in zip(body.imageList, fields, strict=True)]
    names = [file.name for file in body.imageList]
    return ExtrasRequest(images=images, names=names, steps=steps_of(body), show_results=body.show_extras_results)


def steps_of(body: models.ExtrasBaseRequest) -> dict[str, dict[str, Any]]:
    """Arguments of the steps that the API knows; all others run with None for everything, which is off."""
    return {
        "Upscale": {
            "upscale_enabled": True,
            "upscale_mode": body.resize_mode,
            "upscale_by": body.upscaling_resize,
            "max_side_length": 0,
            "upscale_to_width": body.upscaling_resize_w,
            "upscale_to_height": body.upscaling_resize_h,
            "upscale_crop": body.upscaling_crop,
            "upscaler_1_name": body.upscaler_1,
            "upscaler_2_name": body.upscaler_2,
            "upscaler_2_visibility": body.extras_upscaler_2_visibility,
        },
        "GFPGAN": {"enable": True, "gfpgan_visibility": body.gfpgan_visibility},
        "CodeFormer": {
            "enable": True,
            "codeformer_visibility": body.codeformer_visibility,
            "codeformer_weight": body.codeformer_weight,
        },
    }
