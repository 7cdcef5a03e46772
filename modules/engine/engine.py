"""The engine: one worker that takes requests in order, and what surfaces may ask of it.

Creating an engine imports no torch and loads nothing: the port can open first. The checkpoint is loaded by
`start_loading` in the background, or by the first job that needs it.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.engine.checkpoints import CheckpointNotFound, CheckpointRegistry, native_size
from modules.engine.jobs import Job, new_task_id
from modules.engine.models import ModelManager
from modules.engine.paths import Paths
from modules.settings.store import Freeze, Options

if TYPE_CHECKING:
    from modules.pipeline.processed import Processed
    from modules.pipeline.processing import StableDiffusionProcessing

log = logging.getLogger(__name__)
REMEMBERED_JOBS = 64
CLOSE_SECONDS = 1.0
DEFAULT_SIZE = (512, 512)


class Engine:
    """Queue, models and settings of one running program."""

    def __init__(self, flags: Any, paths: Paths | None = None, options: Options | None = None) -> None:
        self.flags = flags
        self.paths = paths or Paths.from_flags(
            getattr(flags, "data_dir", None), getattr(flags, "models_dir", None), getattr(flags, "ckpt_dir", None)
        )
        self.options = options if options is not None else Options.load(
            Path(getattr(flags, "ui_settings_file", None) or self.paths.settings_file),
            freeze=Freeze.from_flags(flags),
            directory_locked=bool(getattr(flags, "hide_ui_dir_config", False)),
        )
        self.checkpoints = CheckpointRegistry(self.paths, hashing=not getattr(flags, "no_hashing", False))
        self.models = ModelManager(flags, self.checkpoints)
        self.current: Job | None = None
        self._queue: deque[Job] = deque()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._wakeup = threading.Condition()
        self._closing = False
        self._worker: threading.Thread | None = None

    def submit(self, request: StableDiffusionProcessing, task_id: str | None = None) -> Job:
        """Put a request at the end of the queue; raises RequestError at once for unusable fields."""
        request.validate()
        job = Job(request, task_id or new_task_id(getattr(request, "kind", "job")))
        with self._wakeup:
            self._queue.append(job)
            self._jobs[job.id] = job
            while len(self._jobs) > REMEMBERED_JOBS and next(iter(self._jobs.values())).finished:
                self._jobs.popitem(last=False)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="engine", daemon=True)
                self._worker.start()
            self._wakeup.notify()
        return job

    def run(self, request: StableDiffusionProcessing, task_id: str | None = None) -> Processed:
        """Submit and wait for the result."""
        return self.submit(request, task_id).wait()

    def job(self, task_id: str) -> Job | None:
        """A queued, running or recently finished job."""
        return self._jobs.get(task_id)

    def pending(self) -> list[Job]:
        """Jobs that wait for their turn, in order."""
        with self._wakeup:
            return list(self._queue)

    def interrupt(self) -> None:
        """Stop the running job as soon as its current evaluation ends; finished pictures are kept."""
        if self.current is not None:
            self.current.progress.interrupt()

    def skip(self) -> None:
        """End the running batch at once and go on with the next."""
        if self.current is not None:
            self.current.progress.skip()

    def default_size(self, checkpoint: str | None = None) -> tuple[int, int]:
        """Width and height that a checkpoint (default: the selected one) was made for, from its metadata; 512 if unsaid."""
        try:
            info = self.checkpoints.get(checkpoint or self.options.sd_model_checkpoint)
        except CheckpointNotFound:
            return DEFAULT_SIZE
        return native_size(info) or DEFAULT_SIZE

    def start_loading(self) -> None:
        """Load the selected checkpoint in the background; a failure is logged and met again by the first job."""
        threading.Thread(target=self._load_quietly, name="checkpoint", daemon=True).start()

    def close(self) -> None:
        """Stop the worker after the running evaluation and cancel what waits."""
        with self._wakeup:
            self._closing = True
            waiting = list(self._queue)
            self._queue.clear()
            self._wakeup.notify_all()
        for job in waiting:
            job.finish("cancelled")
        self.interrupt()
        if self._worker is not None and self._worker is not threading.current_thread():
            self._worker.join(timeout=CLOSE_SECONDS)

    def _load_quietly(self) -> None:
        try:
            self.models.get(self.checkpoints.get(self.options.sd_model_checkpoint))
        except Exception as error:
            log.warning("the checkpoint could not be loaded: %s", error)

    def _next(self) -> Job | None:
        with self._wakeup:
            while not self._queue and not self._closing:
                self._wakeup.wait()
            return self._queue.popleft() if self._queue else None

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._run(job)

    def _run(self, job: Job) -> None:
        self.current, job.state = job, "running"
        job.progress.textinfo = "Starting…"  # the first import of torch takes seconds
        try:
            from modules.pipeline.process import run_request

            result = run_request(job.request, self._runtime(job))
        except Exception as error:
            log.debug("job %s failed", job.id, exc_info=True)
            job.finish("failed", error=error)
        else:
            job.finish("done", result=result)
        finally:
            self.current = None

    def _runtime(self, job: Job) -> Any:
        from modules.pipeline.runtime import Runtime

        return Runtime(
            state=job.progress,
            options=self.options,
            load_model=lambda name: self.models.get(self.checkpoints.get(name)),
            knows_checkpoint=lambda name: self.checkpoints.find(name) is not None,
            checkpoint_title=lambda name: self.checkpoints.get(name).short_title,
            data_dir=self.paths.data,
            prompt_history=not getattr(self.flags, "no_prompt_history", False),
            filename_length=getattr(self.flags, "filenames_max_length", 128),
            styles_files=list(getattr(self.flags, "styles_file", None) or []),
            unix_filenames=getattr(self.flags, "unix_filenames_sanitization", False),
        )
