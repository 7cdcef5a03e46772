"""The kinds of jobs: the body of each, checked as `/sdapi/v1` checks it, and the request it asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from . import models
from .extras_request import extras_request
from .infotext_field import with_infotext
from .requests import img2img_request, txt2img_request
from .styles import style_database

if TYPE_CHECKING:
    from modules.engine.engine import Engine

NOT_STORED = {"force_task_id", "infotext", "send_images", "include_init_images"}
"""What concerns the answer, or was worked into the other fields."""

KINDS: dict[str, tuple[type[BaseModel], Callable[[Any, Any], Any]]] = {
    "txt2img": (models.StableDiffusionProcessingTxt2Img, txt2img_request),
    "img2img": (models.StableDiffusionProcessingImg2Img, img2img_request),
    "extras": (models.ExtrasBatchImagesRequest, extras_request),
}
"""Model of the body, and what makes the request from it and the settings."""


def prepared(engine: Engine, flags: Any, kind: str, raw: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The request that a body asks for, and the body as it is to be stored.

    Raises RequestValidationError and HTTPException 422 as the route of that kind does, naming the field below `request`.
    """
    if kind not in KINDS:
        raise HTTPException(422, f"kind: must be one of {', '.join(KINDS)}, not '{kind}'")
    model, make = KINDS[kind]
    if kind == "extras" and "image" in raw:  # the body of extra-single-image
        raw = {**raw, "imageList": [{"data": raw["image"], "name": ""}]}
    try:
        body = model.model_validate(raw)
    except ValidationError as error:
        problems = [{**problem, "loc": ("body", "request", *problem["loc"])} for problem in error.errors()]
        raise RequestValidationError(problems) from None
    if getattr(body, "infotext", None):
        styles = style_database(engine, flags).extract_styles_from_prompt
        body = with_infotext(body, engine.options, styles)  # type: ignore[type-var]
    return make(body, engine.options), stored_body(body)


def stored_body(body: BaseModel) -> dict[str, Any]:
    """The body as plain data, without what only the answer depends on."""
    stored: dict[str, Any] = json.loads(body.model_dump_json(exclude_unset=True, exclude=NOT_STORED))
    return stored


def register_builders(engine: Engine) -> None:
    """Let the engine make requests anew from the bodies of jobs of an earlier run."""

    def builder(kind: str) -> Callable[[Mapping[str, Any]], Any]:
        model, make = KINDS[kind]
        return lambda body: make(model.model_validate(body), engine.options)

    for kind in KINDS:
        engine.builders[kind] = builder(kind)
