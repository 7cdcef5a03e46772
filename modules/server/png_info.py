"""Reading the infotext of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from modules import events
from modules.diffusion.samplers.registry import SAMPLERS
from modules.imaging.infotext_rules import parse_generation_parameters
from modules.imaging.metadata import read_info_from_image

from . import models
from .infotext_field import paste_rules
from .pictures import decode_image
from .styles import style_database

if TYPE_CHECKING:
    from modules.engine.engine import Engine


def png_info_routes(engine: Engine, flags: Any) -> APIRouter:
    router = APIRouter()
    labels = {alias.lower(): info.label for info in SAMPLERS for alias in (info.label, *info.aliases)}

    @router.post("/sdapi/v1/png-info", response_model=models.PNGInfoResponse)
    def png_info(body: models.PNGInfoRequest) -> Any:
        """The infotext of a picture and its fields."""
        image = decode_image(body.image, "image")
        infotext, items = read_info_from_image(image, labels)
        rules = paste_rules(engine.options, style_database(engine, flags).extract_styles_from_prompt)
        fields = parse_generation_parameters(infotext or "", rules)
        engine.scripts.load()
        events.fire("infotext_pasted", infotext or "", fields)
        return {"info": infotext or "", "items": items, "parameters": fields}

    return router
