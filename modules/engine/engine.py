"""The engine: one worker that takes requests in order, and what surfaces may ask of it.

Creating an engine imports no torch and loads nothing: the port can open first. The checkpoint is loaded by
`start_loading` in the background, or by the first job that needs it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.engine.bodies import body_of
from modules.engine.checkpoints import CheckpointNotFound, CheckpointRegistry, native_size
from modules.engine.enhancers import Enhancers
from modules.engine.jobs import Job, new_task_id
from modules.engine.models import ModelManager
from modules.engine.network_files import networks_of
from modules.engine.paths import PROGRAM, Paths
from modules.engine.pickles import follow_settings
from modules.engine.queue import JobQueue
from modules.engine.records import Records
from modules.engine.running import run_job
from modules.engine.vaes import VaeRegistry
from modules.engine.webhooks import Webhooks
from modules.pipeline.processing import fix_seed
from modules.settings.store import Freeze, Options

if TYPE_CHECKING:
    from modules.adapters.embeddings import ModelEmbeddings
    from modules.engine.journal import Journal
    from modules.pipeline.processed import Processed
    from modules.pipeline.processing import StableDiffusionProcessing

log = logging.getLogger(__name__)
CLOSE_SECONDS = 1.0
DEFAULT_SIZE = (512, 512)


class Engine:
    """Queue, models and settings of one running program."""

    def __init__(self, flags: Any, paths: Paths | None = None, options: Options | None = None) -> None:
        self.flags = flags
        self.paths = paths or Paths.from_flags(
            getattr(flags, "data_dir", None), getattr(flags, "models_dir", None), getattr(flags, "ckpt_dir", None)
        )
        self.options = (
            options
            if options is not None
            else Options.load(
                Path(getattr(flags, "ui_settings_file", None) or self.paths.settings_file),
                freeze=Freeze.from_flags(flags),
                directory_locked=bool(getattr(flags, "hide_ui_dir_config", False)),
            )
        )
        follow_settings(self.options, flags)
        self.checkpoints = CheckpointRegistry(self.paths, hashing=not getattr(flags, "no_hashing", False))
        self.vaes = VaeRegistry(self.paths, flags)
        self.models = ModelManager(flags, self.paths, self.checkpoints, self.vaes, self.options)
        self.networks = networks_of(flags, self.paths)
        self.enhancers = Enhancers(flags, self.paths, self.options, self.models)
        self.records = Records(self.paths.data)
        self.queue = JobQueue(self.records)
        self.webhooks = Webhooks(self.queue, self.options)
        self.builders: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
        """Makes the request of a kind of job from its body; filled by the surfaces that know the bodies."""
        self.executors: dict[str, Callable[[Any, Any], Any]] = {}
        """Runs the requests of a kind, (request, runtime) -> result; kinds that are not here make pictures with the pipeline."""
        self.scripts: Any = None
        """The scripts of the program, once there are any: `attach(request)` gives a request its own."""
        self._starting = threading.Lock()
        self._unload_next = threading.Event()
        self._worker: threading.Thread | None = None

    @property
    def current(self) -> Job | None:
        """The job that runs."""
        return self.queue.current

    def submit(
        self,
        request: StableDiffusionProcessing,
        task_id: str | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        source: str = "api",
        priority: int = 0,
        parent: str | None = None,
        webhook: dict[str, Any] | None = None,
        paused: bool = False,
    ) -> Job:
        """Put a request at the end of the queue; raises RequestError at once for unusable fields.

        body: the request as data (the body of `/sdapi/v1/<kind>`), from which it can be made again after a restart.
        Seeds that are left to chance are drawn now, so that a second try makes the same picture.
        """
        request.validate()
        request.asks_random_seed = getattr(request, "seed", None) == -1  # type: ignore[attr-defined]  # scripts draw one for each of their jobs
        for name in ("seed", "subseed"):
            if isinstance(getattr(request, name, None), int):
                setattr(request, name, fix_seed(getattr(request, name)))
        data = dict(body) if body is not None else body_of(request)
        data |= {name: getattr(request, name) for name in ("seed", "subseed") if hasattr(request, name)}
        job = Job(request, task_id or new_task_id(getattr(request, "kind", "job")), source=source, priority=priority)
        job.body, job.parent, job.webhook = data, parent, webhook
        job.state = "paused" if paused else "queued"
        self.queue.add(job)
        self._start_worker()
        return job

    def run(self, request: StableDiffusionProcessing, task_id: str | None = None) -> Processed:
        """Submit and wait for the result."""
        return self.submit(request, task_id).wait()

    def start(self) -> None:
        """Take up what an earlier run of the program left undone. Call it once everything that jobs need is in place."""
        hold = self.options.queue_after_crash == "paused"
        count = self.queue.restore(paused=hold, keep=int(self.options.queue_kept_jobs))
        self.webhooks.start()
        if count:
            log.info("%d job%s of an earlier run %s", count, "s"[: count != 1], "wait to be resumed" if hold else "go on")
            self._start_worker()

    def job(self, task_id: str) -> Job | None:
        """A job by its id, however long ago it ran, as long as it is kept."""
        return self.queue.find(task_id)

    def pending(self) -> list[Job]:
        """Jobs that wait for their turn, in order."""
        return self.queue.pending()

    def interrupt(self) -> None:
        """Stop the running job as soon as its current evaluation ends; finished pictures are kept."""
        if (job := self.current) is not None:
            job.progress.interrupt()

    def skip(self) -> None:
        """End the running batch at once and go on with the next."""
        if (job := self.current) is not None:
            job.progress.skip()

    def finish_picture(self) -> None:
        """Let the running job finish the picture it draws, then stop it."""
        if (job := self.current) is not None:
            job.progress.stop_generating()

    def embeddings(self) -> ModelEmbeddings:
        """The textual inversions that the model in use understands; where none could be loaded yet, all there are."""
        from modules.adapters.embeddings import ModelEmbeddings

        model = self.models.loaded
        if model is None:
            self._load_quietly()
            model = self.models.loaded
        return self.networks.embeddings_for(model) if model is not None else ModelEmbeddings(self.networks.embeddings.all(), None)

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
        """Stop the worker after the running evaluation. What is undone goes on at the next start, or is cancelled where that cannot be."""
        self.queue.close()
        self.webhooks.close()
        if (job := self.current) is not None:
            self._stop_for_good(job)
        if self._worker is not None and self._worker is not threading.current_thread():
            self._worker.join(timeout=CLOSE_SECONDS)
        self.records.close()

    def unload_models(self) -> None:
        """Take the models off the graphics card: now, or once the running job has ended."""
        if self.current is None:
            self.models.unload()
        else:
            self._unload_next.set()

    def reload_models(self) -> None:
        """Bring the model used last back; while a job runs it is there anyway."""
        self._unload_next.clear()
        if self.current is None:
            self.models.reload()

    def _stop_for_good(self, job: Job) -> None:
        if self.records.durable and job.number and job.source != "command":
            job.progress.suspend()
            job.wake()
        else:
            job.progress.interrupt()

    def _start_worker(self) -> None:
        with self._starting:
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="engine", daemon=True)
                self._worker.start()

    def _load_quietly(self) -> None:
        try:
            self.models.get(self.checkpoints.get(self.options.sd_model_checkpoint))
        except Exception as error:
            log.warning("the checkpoint could not be loaded: %s", error)

    def _work(self) -> None:
        while (job := self.queue.take()) is not None:
            run_job(self, job)
            self.models.end_job(failed=job.state == "failed")
            if self._unload_next.is_set():
                self._unload_next.clear()
                self.models.unload()

    @cached_property
    def approximations(self) -> Any:
        """TAESD and the decoders of previews, in the user's models folder and in the program's own."""
        from modules.pipeline.approximations import Approximations

        return Approximations(dict.fromkeys((self.paths.models, PROGRAM / "models")))

    def runtime(self, job: Job, journal: Journal, options: Options) -> Any:
        """What the pipeline needs of the engine to run one job."""
        from modules.pipeline.runtime import Runtime

        return Runtime(
            state=job.progress,
            options=options,
            load_model=lambda name, settings=None: self.models.get(self.checkpoints.get(name), settings or options),
            use_model=self.models.use,
            knows_checkpoint=lambda name: self.checkpoints.find(name) is not None,
            checkpoint_title=lambda name: self.checkpoints.get(name).short_title,
            data_dir=self.paths.data,
            prompt_history=not getattr(self.flags, "no_prompt_history", False),
            filename_length=getattr(self.flags, "filenames_max_length", 128),
            styles_files=list(getattr(self.flags, "styles_file", None) or []),
            unix_filenames=getattr(self.flags, "unix_filenames_sanitization", False),
            journal=journal,
            report=lambda name, data: self.queue.report(job, name, data),
            memory=self.models.memory,
            approximations=self.approximations,
            networks=self.networks,
            **self.enhancers.for_job(job.progress),
        )
