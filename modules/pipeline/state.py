"""What a running job tells the outside, and what the outside may ask of it (A1111's `shared.state`)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image


class Interrupted(Exception):
    """Raised inside a sampler to leave it; the latest denoised latents are the result."""


class Suspended(BaseException):
    """Raised inside a job to leave it without a result; it may be taken up again. No handler of errors is meant to see it."""


@dataclass
class JobState:
    """Progress counters and stop flags of one job; written by the pipeline, read by everyone else.

    `job_count` is the number of passes (batches, hires passes) planned; `sampling_step` counts steps of the
    current pass from 0.
    """

    job: str = ""
    job_no: int = 0
    job_count: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0
    skipped: bool = False
    interrupted: bool = False
    stopping_generation: bool = False
    textinfo: str | None = None
    job_timestamp: str = field(default_factory=lambda: time.strftime("%Y%m%d%H%M%S"))
    time_start: float = field(default_factory=time.monotonic)
    current_image: Image.Image | None = None
    id_live_preview: int = 0
    suspended: bool = False

    def interrupt(self) -> None:
        """Stop as soon as the running evaluation ends and keep what there is."""
        self.interrupted = True

    def skip(self) -> None:
        """Finish the current batch at once and go on with the next."""
        self.skipped = True

    def stop_generating(self) -> None:
        """Finish the current picture, then stop."""
        self.stopping_generation = True

    def suspend(self) -> None:
        """Leave the job as soon as the running evaluation ends, to take it up later or never."""
        self.suspended = True

    def nextjob(self) -> None:
        """Move on to the next pass of the job."""
        self.job_no += 1
        self.sampling_step = 0

    def raise_if_stopped(self) -> None:
        """Raise Interrupted when the user asked to stop or to skip, Suspended when the job is to be left."""
        if self.suspended:
            raise Suspended
        if self.interrupted or self.skipped:
            raise Interrupted

    def show(self, image: Image.Image) -> None:
        """Publish a live preview."""
        self.current_image = image
        self.id_live_preview += 1

    @property
    def fraction(self) -> float:
        """Share of the job that is done, 0..1."""
        if self.job_count <= 0:
            return 0.0
        done = self.job_no / self.job_count
        if self.sampling_steps > 0:
            done += self.sampling_step / self.sampling_steps / self.job_count
        return min(done, 1.0)

    @property
    def eta_seconds(self) -> float | None:
        """Remaining time extrapolated from the time so far; None before the first step."""
        fraction = self.fraction
        if fraction <= 0:
            return None
        elapsed = time.monotonic() - self.time_start
        return elapsed / fraction - elapsed

    def dict(self) -> dict[str, Any]:
        """The fields of the API's `state` object."""
        names = ("skipped", "interrupted", "stopping_generation", "job", "job_count", "job_timestamp", "job_no")
        return {name: getattr(self, name) for name in (*names, "sampling_step", "sampling_steps")}
