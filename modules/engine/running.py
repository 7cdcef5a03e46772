"""One job in the hands of the worker: its request, its journal, and what becomes of it."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from modules.engine.checkpoints import CheckpointNotFound
from modules.engine.jobs import Job
from modules.engine.journal import Journal
from modules.engine.snapshot import differing, options_as
from modules.pipeline.state import Suspended
from modules.settings.errors import SettingError
from modules.settings.store import Options

if TYPE_CHECKING:
    from modules.engine.engine import Engine

log = logging.getLogger(__name__)
MEGABYTE = 1 << 20


class CannotRebuild(Exception):
    """A job of an earlier run of the program cannot be made from what was written down of it."""


def run_job(engine: Engine, job: Job) -> None:
    """Run a job to its end, whatever that is; raises nothing."""
    queue = engine.queue
    if job.settings is None:
        job.settings = differing(engine.options)
    queue.begin(job)
    job.progress.textinfo = "Starting…"  # the first import of torch takes seconds
    try:
        request = _request(engine, job)
        options = options_as(engine.options, job.settings)
        job.journal = _journal(engine, job)
        result = _execute(engine, job, request, engine.runtime(job, job.journal, options))
    except Suspended:
        queue.leave(job)
    except BaseException as error:  # whatever a script raises, the next job runs
        log.debug("job %s failed", job.id, exc_info=True)
        queue.end(job, "failed", error=error)
    else:
        queue.end(job, "done", result=result)
        if queue.prune_now():
            engine.records.prune(int(engine.options.queue_kept_jobs))


def _execute(engine: Engine, job: Job, request: Any, runtime: Any) -> Any:
    if (executor := engine.executors.get(job.kind)) is not None:
        return executor(request, runtime)
    from modules.pipeline.process import run_request

    _keep_overrides(engine, request)
    if engine.scripts is not None:
        engine.scripts.attach(request)
    return run_request(request, runtime)


def _keep_overrides(engine: Engine, request: Any) -> None:
    """Make a request's overrides the settings from now on, where it says that they shall not be taken back."""
    if getattr(request, "override_settings_restore_afterwards", True) is not False:
        return
    for key, value in request.override_settings.items():
        if key == "sd_model_checkpoint" and engine.checkpoints.find(str(value)) is None:
            continue
        with suppress(SettingError):  # the job itself will say what is wrong with it
            engine.options.set(key, value, run_callbacks=False)


def _request(engine: Engine, job: Job) -> Any:
    """The request to run: a copy of the one handed in, as a run changes its own; or one made from the job's body."""
    if job.original is None:
        job.original = job.request or _rebuilt(engine, job)
    job.request = _copy(job.original)
    return job.request


def _rebuilt(engine: Engine, job: Job) -> Any:
    body = engine.records.body(job)
    build = engine.builders.get(job.kind)
    if build is None or not body:
        raise CannotRebuild(f"job {job.id} ({job.kind}) cannot be taken up again: send its request anew")
    return build(body)


def _copy(request: Any) -> Any:
    again = copy.copy(request)
    for name, value in vars(request).items():
        if type(value) in (dict, list):
            setattr(again, name, value.copy())
    return again


def _journal(engine: Engine, job: Job) -> Journal:
    if job.kind in engine.executors:  # no sampling, nothing to replay
        return Journal(None)
    limit = int(engine.options.journal_megabytes) * MEGABYTE
    durable = engine.records.durable and job.number and job.source != "command"
    path = engine.records.spool.journal(job.number) if durable and limit > 0 else None
    return Journal(path, fingerprint(engine, job), limit=limit)


def fingerprint(engine: Engine, job: Job) -> str:
    """What every recorded answer depends on, as a hash: request, settings, model file, program, device."""
    import torch

    told = [job.kind, engine.records.body(job), job.settings, _model_file(engine, job), torch.__version__, engine.models.compute.describe()]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _model_file(engine: Engine, job: Job) -> Any:
    """Name, size and date of the checkpoint file; None where there is none."""
    named = (job.body.get("override_settings") or {}).get("sd_model_checkpoint")
    options: Options = engine.options
    try:
        info = engine.checkpoints.find(named) if named else None
        file = (info or engine.checkpoints.get(options.sd_model_checkpoint)).filename
        return [str(file), file.stat().st_size, file.stat().st_mtime_ns]
    except (CheckpointNotFound, OSError):
        return None
