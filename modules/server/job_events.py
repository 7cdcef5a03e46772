"""What happens to a job as Server-Sent Events.

Changes of state carry ids and are kept, so that a client that comes back misses none; progress in between has no id and is not kept.
Each client reads at its own pace from the job's list of events: a slow one falls behind and holds up nobody.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastapi import Response
from fastapi.responses import StreamingResponse

from modules.engine.jobs import OVER, STATES, Job

if TYPE_CHECKING:
    from modules.engine.engine import Engine
    from modules.engine.store.jobs import Event

PROGRESS_SECONDS = 0.25
QUIET_ROUNDS = 60
"""Rounds without news after which a comment keeps proxies from closing the connection."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event_stream(engine: Engine, job: Job, after: int) -> Response:
    """The events of a job after number `after`, and on until it is over; 204 where none will come, which ends an EventSource."""
    if job.state in OVER and not any(event.number > after for event in job.events):
        return Response(status_code=204)
    return StreamingResponse(_events(engine, job, after), media_type="text/event-stream", headers=HEADERS)


async def _events(engine: Engine, job: Job, after: int) -> AsyncIterator[str]:
    news, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake(other: Job, _: Event) -> None:
        if other.id == job.id:
            with suppress(RuntimeError):  # the server stops
                loop.call_soon_threadsafe(news.set)

    unwatch = engine.queue.watch(wake)
    shown, quiet = "", 0
    try:
        while True:
            news.clear()
            over = job.state in OVER
            for event in [event for event in job.events if event.number > after]:
                after, quiet = event.number, 0
                state = {"state": event.name} if event.name in STATES else {}
                yield _written(event.name, {"id": job.id, **state, "at": event.at, **event.data}, event.number)
            if over and not any(event.number > after for event in job.events):
                return
            if job.state == "running" and (progress := _progress(job)) != shown:
                shown, quiet = progress, 0
                yield progress
            quiet += 1
            if quiet % QUIET_ROUNDS == 0:
                yield ": still here\n\n"
            with suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(news.wait(), PROGRESS_SECONDS)
            if engine.queue.known(job.id) is None and job.state not in OVER:
                job = engine.job(job.id) or job  # another program's
    finally:
        unwatch()


def _progress(job: Job) -> str:
    state = job.progress
    told = {"fraction": round(state.fraction, 4), "step": state.sampling_step, "steps": state.sampling_steps, "text": state.textinfo}
    return _written("progress", told)


def _written(name: str, data: dict[str, Any], number: int | None = None) -> str:
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data)}\n\n"
