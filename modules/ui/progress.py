"""The answer to the page's question how a task is going (A1111's `/internal/progress`)."""

from __future__ import annotations

import base64
import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

    from modules.engine.engine import Engine

PREVIEW_FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}


@dataclass
class ProgressAnswer:
    """Where a task stands; `progress` in 0..1, `eta` in seconds, `live_preview` a data URI."""

    active: bool = False
    queued: bool = False
    completed: bool = False
    progress: float | None = None
    eta: float | None = None
    live_preview: str | None = None
    id_live_preview: int = -1
    textinfo: str | None = None

    def dict(self) -> dict[str, Any]:
        return asdict(self)


def progress_of(engine: Engine, id_task: str | None, id_live_preview: int = -1, live_preview: bool = True) -> ProgressAnswer:
    """Say how the task stands; the preview is sent only when it is newer than `id_live_preview`."""
    job = engine.job(id_task) if id_task else None
    current = engine.current
    if id_task is None and current is None:
        return ProgressAnswer(active=True)  # A1111: no task asked for equals no task running
    if job is None or current is None or job.id != current.id:
        return _waiting(engine, job)
    state = current.progress
    answer = ProgressAnswer(
        active=True,
        progress=state.fraction,
        eta=state.eta_seconds,
        id_live_preview=id_live_preview,
        textinfo=state.textinfo,
    )
    image = state.current_image
    if live_preview and image is not None and state.id_live_preview != id_live_preview:
        answer.id_live_preview = state.id_live_preview
        answer.live_preview = data_uri(image, str(getattr(engine.options, "live_previews_image_format", "png")))
    return answer


def _waiting(engine: Engine, job: Any | None) -> ProgressAnswer:
    if job is not None and job.finished:
        return ProgressAnswer(completed=True, textinfo="Waiting...")
    ids = [waiting.id for waiting in engine.pending()]
    if job is not None and job.id in ids:
        return ProgressAnswer(queued=True, textinfo=f"In queue: {ids.index(job.id) + 1}/{len(ids)}")
    # Taken from the queue and not yet running, or unknown: the next question finds out.
    return ProgressAnswer(queued=job is not None, textinfo="Waiting...")


def data_uri(image: Image.Image, image_format: str) -> str:
    """The picture as a `data:` URI in "png", "jpeg" or "webp"; anything else becomes PNG."""
    name = image_format if image_format in PREVIEW_FORMATS else "png"
    picture = image.convert("RGB") if name == "jpeg" else image
    buffer = io.BytesIO()
    if name == "png":
        picture.save(buffer, "PNG", compress_level=1)
    else:
        picture.save(buffer, PREVIEW_FORMATS[name], quality=80)
    return f"data:image/{name};base64,{base64.b64encode(buffer.getvalue()).decode()}"
