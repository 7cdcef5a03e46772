"""One request on its way through the engine."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from modules.pipeline.state import JobState

if TYPE_CHECKING:
    from modules.pipeline.process import Processed
    from modules.pipeline.processing import StableDiffusionProcessing

State = Literal["queued", "running", "done", "failed", "cancelled"]


class JobCancelled(Exception):
    """The job was cancelled before it ran."""


@dataclass
class Job:
    """A request, where it stands, and what came of it."""

    request: StableDiffusionProcessing
    id: str
    progress: JobState = field(default_factory=JobState)
    state: State = "queued"
    result: Processed | None = None
    error: BaseException | None = None
    created: float = field(default_factory=time.time)
    _finished: threading.Event = field(default_factory=threading.Event)

    @property
    def kind(self) -> str:
        return getattr(self.request, "kind", "job")

    def wait(self, timeout: float | None = None) -> Processed:
        """Block until the job is over and return its result.

        Raises what the job raised, JobCancelled if it never ran, TimeoutError after `timeout` seconds.
        """
        if not self._finished.wait(timeout):
            raise TimeoutError(f"job {self.id} is still {self.state}")
        if self.error is not None:
            raise self.error
        if self.result is None:
            raise JobCancelled(f"job {self.id} was cancelled")
        return self.result

    def finish(self, state: State, *, result: Processed | None = None, error: BaseException | None = None) -> None:
        """Record how the job ended and wake everyone who waits."""
        self.state, self.result, self.error = state, result, error
        self._finished.set()

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    def finished_within(self, seconds: float) -> bool:
        """Wait at most this long for the job to end; True when it has."""
        return self._finished.wait(seconds)


def new_task_id(kind: str) -> str:
    """A task id of A1111's form, `task(txt2img-0123456)`."""
    return f"task({kind}-{uuid.uuid4().hex[:7]})"
