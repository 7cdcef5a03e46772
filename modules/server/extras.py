"""The Extras routes: one picture or several through upscalers and face restoration (platform.md §3.2)."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from . import models
from .extras_request import extras_request, steps_of
from .job_kinds import stored_body
from .pictures import checked_format, decode_image, encode_image
from .waiting import in_thread

if TYPE_CHECKING:
    from modules.engine.engine import Engine


def extras_routes(engine: Engine, flags: Any) -> APIRouter:
    """The routes; their jobs wait in the queue like all others."""
    router = APIRouter()

    @router.post("/sdapi/v1/extra-single-image", response_model=models.ExtrasSingleImageResponse, response_model_exclude_none=True)
    async def extra_single_image(body: models.ExtrasSingleImageRequest) -> Any:
        """Enlarge a picture, restore its faces."""
        await in_thread(lambda: decode_image(body.image, "image"))  # so that a message names the field as this route has it
        fields = {**body.model_dump(exclude={"image"}), "imageList": [{"data": body.image, "name": ""}]}
        result = await _made(models.ExtrasBatchImagesRequest(**fields))
        images = result.images[:1]
        return {"html_info": _html(result), "image": encode_image(images[0], engine.options) if images else None}

    @router.post("/sdapi/v1/extra-batch-images", response_model=models.ExtrasBatchImagesResponse)
    async def extra_batch_images(body: models.ExtrasBatchImagesRequest) -> Any:
        """Enlarge several pictures, restore their faces."""
        result = await _made(body)
        return {"html_info": _html(result), "images": await in_thread(lambda: [encode_image(i, engine.options) for i in result.images])}

    async def _made(body: models.ExtrasBatchImagesRequest) -> Any:
        checked_format(engine.options)
        _check(body)
        request: Any = await in_thread(lambda: extras_request(body, engine.options))
        job = engine.submit(request, body=stored_body(body))
        return await in_thread(job.wait)

    def _check(body: models.ExtrasBatchImagesRequest) -> None:
        """Refuse at once what would fail after waiting for its turn."""
        enhancers, steps = engine.enhancers, steps_of(body)
        for name in (body.upscaler_1, body.upscaler_2):
            enhancers.upscalers.check(name)
        for name, key in (("GFPGAN", "gfpgan_visibility"), ("CodeFormer", "codeformer_visibility")):
            if steps[name][key] > 0:
                enhancers.face_restorers.check(name)

    return router


def _html(result: Any) -> str:
    """The last picture's infotext, and what there is to say about the job."""
    last = result.info if isinstance(result.info, str) else result.info.get("last", "")
    lines = [last, *result.comments.splitlines()]
    return f"<p>{'<br>'.join(html.escape(line) for line in lines if line)}</p>"
