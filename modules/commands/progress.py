"""A progress bar on standard error for a job of the engine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

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
