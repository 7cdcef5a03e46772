"""Progress bars on standard error: for a job of the engine, and for work that tells its own progress."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modules.engine.jobs import Job


def follow(job: Job, *, quiet: bool = False) -> None:
    """Show the job's progress until it is over; nothing when quiet or when standard error is no terminal."""
    if quiet or not sys.stderr.isatty():
        return
    from tqdm import tqdm

    with tqdm(total=100, bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}", leave=False, file=sys.stderr) as bar:
        while not job.finished:
            state = job.progress
            bar.set_description_str(state.textinfo or f"step {state.sampling_step}/{state.sampling_steps}")
            bar.update(round(100 * state.fraction) - bar.n)
            job.finished_within(0.1)


class Bar:
    """A bar for work that calls `show` with what fraction is done; silent when quiet or when standard error is no terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._bar: Any = None
        if not quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=100, bar_format="{percentage:3.0f}% |{bar}| {elapsed}", leave=False, file=sys.stderr)

    def show(self, fraction: float) -> None:
        if self._bar is not None:
            self._bar.update(round(100 * fraction) - self._bar.n)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
