"""`/easel/v1/jobs`: jobs that outlive connections and programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, HTTPException, Query, Response
from fastapi.responses import FileResponse

from modules.engine.jobs import OVER, STATES, Job, new_job_id
from modules.engine.webhooks import WebhookError, check_address

from . import easel_models as shapes
from .job_events import event_stream
from .job_kinds import prepared
from .waiting import in_thread

if TYPE_CHECKING:
    from modules.engine.engine import Engine

MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".avif": "image/avif"}


def job_routes(engine: Engine, flags: Any) -> APIRouter:
    """The routes; those that read the database or decode pictures do so in a thread."""
    router = APIRouter(prefix="/easel/v1/jobs", tags=["jobs"])

    def find(job_id: str) -> Job:
        job = engine.job(job_id)
        if job is None:
            raise HTTPException(404, f"there is no job '{job_id}'")
        return job

    def submit(given: shapes.JobRequest) -> Job:
        webhook = _webhook(given.webhook, engine)
        request, body = prepared(engine, flags, given.kind, given.request)
        return engine.submit(
            request, new_job_id(given.kind), body=body, source="jobs", priority=given.priority, webhook=webhook, paused=given.paused
        )

    def again(job_id: str, given: shapes.AgainRequest) -> Job:
        old = find(job_id)
        request, body = prepared(engine, flags, old.kind, {**engine.records.body(old), **given.request})
        return engine.submit(request, new_job_id(old.kind), body=body, source="jobs", priority=given.priority, parent=old.id)

    def move(job: Job, to: shapes.MoveRequest) -> None:
        if to.priority is not None:
            engine.queue.set_priority(job, to.priority)
        if to.before is not None:
            order = [other.id for other in engine.queue.line if other is not job]
            if to.before not in order:
                raise HTTPException(422, f"before: job '{to.before}' does not wait")
            engine.queue.move(job, order.index(to.before))
        elif to.index is not None:
            engine.queue.move(job, to.index)

    def newest(states: list[str], limit: int, before: int | None) -> list[Job]:
        return [engine.queue.known(job.id) or job for job in engine.records.newest(states, limit, before)]

    @router.post("", response_model=shapes.JobState)
    async def submit_job(given: shapes.JobRequest) -> Any:
        """Put a job into the queue; the answer comes at once."""
        return _state(await in_thread(lambda: submit(given)))

    @router.get("", response_model=shapes.JobList)
    async def list_jobs(
        state: Annotated[list[str] | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[int | None, Query(ge=0)] = None,
    ) -> Any:
        """Jobs, the newest first, of the given states."""
        if wrong := [name for name in state or () if name not in STATES]:
            raise HTTPException(422, f"state: must be one of {', '.join(STATES)}, not '{wrong[0]}'")
        jobs = await in_thread(lambda: newest(state or [], limit, before))
        return {"jobs": [job_answer(engine, job) for job in jobs], "next": jobs[-1].number if len(jobs) == limit else None}

    @router.get("/{job_id}", response_model=shapes.JobAnswer)
    async def get_job(job_id: str) -> Any:
        """How a job stands and what came of it."""
        known = engine.queue.known(job_id)  # the usual case needs no database
        return job_answer(engine, known if known is not None else await in_thread(lambda: find(job_id)))

    @router.get("/{job_id}/request")
    async def get_request(job_id: str) -> dict[str, Any]:
        """The request of a job with its seeds, as `/sdapi/v1/<kind>` takes it."""
        return await in_thread(lambda: engine.records.body(find(job_id)))

    @router.get("/{job_id}/images/{index}", response_class=FileResponse)
    async def get_image(job_id: str, index: int) -> Response:
        """A picture of a job that is done, as it is on the disk; a grid comes first."""
        return await in_thread(lambda: _image(find(job_id), index))

    @router.get("/{job_id}/events", response_class=Response)
    async def get_events(job_id: str, last_event_id: Annotated[str, Header()] = "") -> Response:
        """What happens to a job, as Server-Sent Events; goes on after `Last-Event-ID`. Answers 204 when nothing will come any more."""
        job = await in_thread(lambda: find(job_id))
        return event_stream(engine, job, int(last_event_id) if last_event_id.isdecimal() and len(last_event_id) < 10 else 0)

    @router.post("/{job_id}/again", response_model=shapes.JobState)
    async def run_again(job_id: str, given: shapes.AgainRequest) -> Any:
        """A new job like this one, with some fields of its request changed."""
        return _state(await in_thread(lambda: again(job_id, given)))

    @router.post("/{job_id}/move", response_model=shapes.JobState)
    async def move_job(job_id: str, to: shapes.MoveRequest) -> Any:
        """Give a waiting job another place."""
        job = await in_thread(lambda: find(job_id))
        await in_thread(lambda: move(job, to))
        return _state(job)

    actions = {
        "pause": (engine.queue.pause, "Hold a job back; one that runs stops after the present evaluation and goes on from there later."),
        "resume": (engine.queue.resume, "Let a paused job go on."),
        "cancel": (engine.queue.cancel, "End a job without a result."),
        "retry": (engine.queue.retry, "Run a failed or cancelled job once more."),
        "interrupt": (_stops("interrupt"), "Stop a running job now; its pictures so far are its result."),
        "finish": (_stops("stop_generating"), "Let a running job finish the picture it draws, then stop."),
        "skip": (_stops("skip"), "End the running batch at once and go on with the next."),
    }
    for name, (work, sentence) in actions.items():
        _add_action(router, name, sentence, lambda job_id, work=work: _done(find(job_id), work))
    return router


def _add_action(router: APIRouter, name: str, sentence: str, act: Any) -> None:
    async def action(job_id: str) -> Any:
        return _state(await in_thread(lambda: act(job_id)))

    action.__name__ = f"{name}_job"
    router.add_api_route(f"/{{job_id}}/{name}", action, methods=["POST"], response_model=shapes.JobState, description=sentence)


def _done(job: Job, work: Any) -> Job:
    work(job)
    return job


def _stops(verb: str) -> Any:
    def stop(job: Job) -> None:
        if job.state != "running":
            raise HTTPException(409, f"job {job.id} is {job.state}; only a running job can be stopped this way")
        getattr(job.progress, verb)()

    return stop


def _state(job: Job) -> dict[str, Any]:
    return {"id": job.id, "state": job.state}


def _webhook(given: shapes.WebhookRequest | str | None, engine: Engine) -> dict[str, Any] | None:
    if not given:
        return None
    webhook = shapes.WebhookRequest(url=given) if isinstance(given, str) else given
    try:
        check_address(webhook.url, engine.options.webhook_allowed_hosts)
    except WebhookError as error:
        raise HTTPException(422, f"webhook: {error}") from None
    return webhook.model_dump()


def _image(job: Job, index: int) -> Response:
    files = (job.stored or {}).get("files") or []
    if job.state not in OVER:
        raise HTTPException(409, f"job {job.id} is {job.state}; its pictures are here when it is done")
    if not 0 <= index < len(files):
        raise HTTPException(404, f"job {job.id} has {len(files)} pictures; there is no number {index}")
    path = Path(files[index])
    if not path.is_file():
        raise HTTPException(410, f"picture {index} of job {job.id} was deleted from the disk")
    return FileResponse(path, media_type=MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream"))


def job_answer(engine: Engine, job: Job) -> dict[str, Any]:
    """A job as the API shows it."""
    state, stored = job.progress, job.stored or {}
    base = f"/easel/v1/jobs/{quote(job.id, safe='()')}/images"
    error = job.error
    return {
        **_state(job),
        "number": job.number,
        "kind": job.kind,
        "source": job.source,
        "parent": job.parent,
        "priority": job.priority,
        "place": engine.queue.place(job),
        "created": job.created,
        "started": job.started,
        "finished": job.finished_at,
        "attempts": job.attempts,
        "progress": {
            "fraction": 1.0 if job.state == "done" else state.fraction,
            "eta": state.eta_seconds if job.state == "running" else None,
            "step": state.sampling_step,
            "steps": state.sampling_steps,
            "text": state.textinfo,
        },
        "evaluations": dict(zip(("computed", "replayed"), job.evaluations, strict=True)),
        "error": None if error is None else {"kind": getattr(error, "kind", type(error).__name__), "message": str(error)},
        "images": [f"{base}/{index}" for index in range(len(stored.get("files") or []))],
        "info": stored.get("info"),
    }
