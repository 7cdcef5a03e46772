"""From the API's request body to the engine's request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from fastapi import HTTPException
from PIL import Image

from modules.extend.arguments import ScriptCall
from modules.imaging.reading import corrected
from modules.pipeline.processing import (
    StableDiffusionProcessing,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)
from modules.settings.store import Options

from . import models
from .pictures import decode_image

NULL_MEANS_ERROR = frozenset({"prompt", "steps", "cfg_scale", "width", "height", "batch_size", "n_iter"})
"""Fields that null reaches, so that the engine says what is wrong; elsewhere null is the default."""
SWITCHES = ("enable_hr", "refiner_checkpoint", "firstpass_image")
"""Fields that change the whole job; asked for and unknown to the engine they are refused, not forgotten."""


def txt2img_request(body: models.StableDiffusionProcessingTxt2Img, options: Options) -> StableDiffusionProcessingTxt2Img:
    """The engine's request. Raises HTTPException 422 (scripts, what is not there yet) and SettingError (overrides)."""
    request = StableDiffusionProcessingTxt2Img(**_engine_fields(body, StableDiffusionProcessingTxt2Img))
    _finish(request, body, options)
    return request


def img2img_request(body: models.StableDiffusionProcessingImg2Img, options: Options) -> StableDiffusionProcessingImg2Img:
    """The engine's request with its pictures decoded.

    Raises HTTPException 404 (no init picture), 422 (a picture that cannot be read, scripts) and SettingError (overrides).
    """
    if body.init_images is None:
        raise HTTPException(404, "Init image not found")
    values = _engine_fields(body, StableDiffusionProcessingImg2Img)
    values["init_images"] = [_picture(image, f"init_images[{index}]") for index, image in enumerate(body.init_images)]
    for name in ("mask", "latent_mask"):
        values[name] = None if getattr(body, name) is None else _picture(getattr(body, name), name)
    request = StableDiffusionProcessingImg2Img(**values)
    _finish(request, body, options)
    return request


def _picture(text: Any, field: str) -> Image.Image:
    if not isinstance(text, str):
        raise HTTPException(422, f"{field}: Invalid encoded image: a base64 text is needed, not {type(text).__name__}")
    return corrected(decode_image(text, field))


def _finish(
    request: StableDiffusionProcessing,
    body: models.StableDiffusionProcessingTxt2Img | models.StableDiffusionProcessingImg2Img,
    options: Options,
) -> None:
    """What both kinds of request take from the API's own fields."""
    request.sampler_name = body.sampler_name or body.sampler_index
    request.do_not_save_samples = request.do_not_save_grid = not body.save_images
    request.override_settings = checked_overrides(body.override_settings or {}, options)
    request.script_call = ScriptCall(body.script_name, body.script_args, body.alwayson_scripts)
    request.is_api = True  # type: ignore[attr-defined]


def _engine_fields(body: models.ProcessingRequest, kind: type[StableDiffusionProcessing]) -> dict[str, Any]:
    known = {field.name: field for field in fields(kind)}
    values = {}
    for name in type(body).model_fields:
        value = getattr(body, name)
        if name not in known:
            if name in SWITCHES and value not in (None, False, "", "None"):
                raise HTTPException(422, f"{name}: not supported by this version")
        elif value is not None or name in NULL_MEANS_ERROR or known[name].default is None:
            values[name] = value
    return {name: value for name, value in values.items() if name != "comments" or known[name].default is not MISSING}


def checked_overrides(overrides: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """The overrides of a request without those the API may not give. Raises UnknownSetting and BadValue before anything runs."""
    allowed = {}
    for key, value in overrides.items():
        checked = options.check(key, value)
        option = options.schema[key]
        if option.stored and not option.restrict_api and not (option.directory and options.directory_locked):
            allowed[key] = checked
    return allowed
