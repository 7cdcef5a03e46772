"""Making pictures, watching and stopping: txt2img, img2img, progress, interrupt, skip."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException

from modules.extend.arguments import ScriptRefused

from . import models
from .infotext_field import with_infotext
from .job_kinds import stored_body
from .pictures import checked_format, encode_image, png_base64
from .requests import img2img_request, txt2img_request
from .styles import style_database
from .waiting import in_thread

if TYPE_CHECKING:
    from modules.engine.engine import Engine
    from modules.engine.jobs import Job
    from modules.pipeline.processed import Processed
    from modules.pipeline.processing import StableDiffusionProcessing

    Body = models.StableDiffusionProcessingTxt2Img | models.StableDiffusionProcessingImg2Img

LEAST_PROGRESS = 0.01
IDLE_STATE = {
    "skipped": False,
    "interrupted": False,
    "stopping_generation": False,
    "job": "",
    "job_count": 0,
    "job_timestamp": "0",
    "job_no": 0,
    "sampling_step": 0,
    "sampling_steps": 0,
}


class LastJob:
    """The job whose state `progress` shows: the running one, else the last that the API saw."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.seen: Job | None = None

    def state(self) -> dict[str, Any]:
        self.seen = self.engine.current or self.seen
        return dict(IDLE_STATE) if self.seen is None else self.seen.progress.dict()


def generation_routes(engine: Engine, flags: Any) -> APIRouter:
    """The routes; generating ones wait in a thread, the others answer at once."""
    router = APIRouter()
    last = LastJob(engine)

    @router.post("/sdapi/v1/txt2img", response_model=models.TextToImageResponse)
    async def txt2img(body: models.StableDiffusionProcessingTxt2Img) -> Any:
        """Make pictures from a prompt."""
        checked_format(engine.options)
        body = with_infotext(body, engine.options, _extract_styles(body.infotext))
        return await _made(txt2img_request(body, engine.options), body, stored_body(body))

    @router.post("/sdapi/v1/img2img", response_model=models.ImageToImageResponse)
    async def img2img(body: models.StableDiffusionProcessingImg2Img) -> Any:
        """Make pictures from pictures, wholly or under a mask."""
        checked_format(engine.options)
        body = with_infotext(body, engine.options, _extract_styles(body.infotext))
        request, stored = await in_thread(lambda: (img2img_request(body, engine.options), stored_body(body)))
        if not body.include_init_images:
            body = body.model_copy(update={"init_images": None, "mask": None})
        return await _made(request, body, stored)

    def _extract_styles(infotext: str | None) -> Any:
        return style_database(engine, flags).extract_styles_from_prompt if infotext else None

    async def _made(request: StableDiffusionProcessing, body: Body, stored: dict[str, Any]) -> dict[str, Any]:
        await in_thread(lambda: _check_scripts(request))
        job = engine.submit(request, body.force_task_id or None, body=stored)
        last.seen = last.seen or job
        return await in_thread(lambda: _answer(job, body))

    def _check_scripts(request: Any) -> None:
        try:
            engine.scripts.check(request.kind, request.script_call)
        except ScriptRefused as error:
            raise HTTPException(422, error.told) from error

    def _answer(job: Job, body: Body) -> dict[str, Any]:
        result = job.wait()
        last.seen = engine.current or job
        return {
            "images": _images(result, body) if body.send_images else [],
            "parameters": json.loads(body.model_dump_json()),  # NaN inside lists becomes null
            "info": result.js(),
        }

    def _images(result: Processed, body: Body) -> list[str]:
        # A1111: whether infotext is inside follows the job's settings, the format those of the server.
        told = {"enable_pnginfo": engine.options.enable_pnginfo, **(body.override_settings or {})}["enable_pnginfo"]
        return [encode_image(image, engine.options, with_infotext=bool(told)) for image in result.images]

    @router.get("/sdapi/v1/progress", response_model=models.ProgressResponse)
    async def progress(skip_current_image: bool = False) -> Any:
        """How far the running job is; without a job 0 and the state of the last one."""
        job, state = engine.current, last.state()
        if job is None:
            return {"progress": 0.0, "eta_relative": 0.0, "state": state, "current_image": None, "textinfo": None}
        image = None if skip_current_image or not engine.options.live_previews_enable else job.progress.current_image
        return {
            "progress": max(job.progress.fraction, LEAST_PROGRESS),
            "eta_relative": job.progress.eta_seconds or 0.0,
            "state": state,
            "current_image": None if image is None else await in_thread(lambda: png_base64(image)),
            "textinfo": job.progress.textinfo,
        }

    @router.post("/sdapi/v1/interrupt")
    async def interrupt() -> dict[str, Any]:
        """Stop the running job and keep what is finished."""
        engine.interrupt()
        return {}

    @router.post("/sdapi/v1/skip")
    async def skip() -> None:
        """End the running batch and go on with the next."""
        engine.skip()

    return router
