"""One request on its way through the engine."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from modules.pipeline.state import JobState

if TYPE_CHECKING:
    from modules.engine.journal import Journal
    from modules.engine.store.jobs import Event
    from modules.pipeline.processed import Processed

State = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
OVER = ("done", "failed", "cancelled")
STATES = ("queued", "running", "paused", *OVER)


class JobCancelled(Exception):
    """The job was cancelled before it was done."""


class JobPutOff(JobCancelled):
    """The program ends; the job goes on when it is started again."""


class StoredError(Exception):
    """What a job of an earlier run of the program failed with; `kind` is the name of the error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(eq=False)
class Job:
    """A request, where it stands, and what came of it.

    `request` is the one that runs, `original` the one that was handed in (running changes requests); both are None for a job of
    an earlier run of the program until its turn comes. `body` is the request as data, the body of `/sdapi/v1/<kind>`. `number` is
    the database's, 0 for a job that nobody wrote down. Times in seconds since 1970.
    """

    request: Any
    id: str
    progress: JobState = field(default_factory=JobState)
    state: State = "queued"
    result: Processed | None = None
    error: BaseException | None = None
    created: float = field(default_factory=time.time)
    started: float | None = None
    finished_at: float | None = None
    number: int = 0
    original: Any = None
    source: str = "api"
    priority: int = 0
    position: float = 0.0
    parent: str | None = None
    attempts: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] | None = None
    """Settings in force when it first began, as far as they differ from the defaults; None before."""
    webhook: dict[str, Any] | None = None
    stored: dict[str, Any] | None = None
    """What is written down of the result."""
    events: list[Event] = field(default_factory=list)
    journal: Journal | None = None
    counted: tuple[int, int] = (0, 0)
    load_result: Callable[[], Any] | None = None
    """Reads the result from where it is kept, once `result` was given up to save memory."""
    wanted: Literal["", "paused", "cancelled"] = ""
    """The state a running job is to stop in."""
    stored_kind: str = ""
    _finished: threading.Event = field(default_factory=threading.Event)

    @property
    def kind(self) -> str:
        return self.stored_kind or getattr(self.request, "kind", "job")

    @property
    def evaluations(self) -> tuple[int, int]:
        """Answers of the denoising network since the job was taken up last: worked out, and taken from its journal."""
        journal = self.journal
        return self.counted if journal is None else (journal.computed, journal.replayed)

    def wait(self, timeout: float | None = None) -> Processed:
        """Block until the job is over and return its result.

        Raises what the job raised, JobCancelled if it never ran, JobPutOff if the program ends before, TimeoutError
        after `timeout` seconds, ResultGone where the pictures of an older job were deleted.
        """
        if not self._finished.wait(timeout):
            raise TimeoutError(f"job {self.id} is still {self.state}")
        if self.error is not None:
            raise self.error
        if self.state not in OVER:
            raise JobPutOff(f"the program ends; job {self.id} goes on when it is started again")
        result = self.result
        if result is None and self.load_result is not None:
            result = self.load_result()
        if result is None:
            raise JobCancelled(f"job {self.id} was cancelled")
        return result

    def finish(self, state: State, *, result: Processed | None = None, error: BaseException | None = None) -> None:
        """Record how the job ended and wake everyone who waits."""
        self.settle(state, result=result, error=error)
        self.wake()

    def settle(self, state: State, *, result: Processed | None = None, error: BaseException | None = None) -> None:
        """Record how the job ended; nobody hears of it before `wake`."""
        self.state, self.result, self.error = state, result, error
        self.finished_at = time.time()
        self.request, self.original = self.original or self.request, None

    def wake(self) -> None:
        """Wake everyone who waits: the job is over, or the program ends."""
        self._finished.set()

    def reopen(self) -> None:
        """Make a job that is over one that waits again."""
        self._finished.clear()
        self.state, self.result, self.error, self.finished_at = "queued", None, None, None
        self.stored, self.load_result = None, None
        self.progress = JobState()

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    def finished_within(self, seconds: float) -> bool:
        """Wait at most this long for the job to end; True when it has."""
        return self._finished.wait(seconds)


def new_job_id(kind: str) -> str:
    """An id that needs no quoting in an address."""
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def new_task_id(kind: str) -> str:
    """A task id of A1111's form, `task(txt2img-0123456)`."""
    return f"task({kind}-{uuid.uuid4().hex[:7]})"
