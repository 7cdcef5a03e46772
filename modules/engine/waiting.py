"""The line of jobs that wait: by priority, then in the order they came, unless somebody moved them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from modules.engine.jobs import Job


class WaitingLine:
    """Jobs that are queued or paused, in the order in which they will run; safe to use from any thread."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._changed = threading.Condition(threading.RLock())
        self._closed = False

    def put(self, job: Job, position: float | None = None) -> None:
        """Add a job at the end of those of its priority, or at a `position` that it had before."""
        with self._changed:
            job.position = self.next_position() if position is None else position
            self._jobs.append(job)
            self._sort()
            self._changed.notify_all()

    def take(self) -> Job | None:
        """The next job, taken out of the line; waits for one, None once the line is closed."""
        with self._changed:
            while not self._closed:
                job = next((job for job in self._jobs if job.state == "queued"), None)
                if job is not None:
                    self._jobs.remove(job)
                    return job
                self._changed.wait()
            return None

    def next_position(self) -> float:
        """A position behind all others."""
        with self._changed:
            return max((other.position for other in self._jobs), default=0.0) + 1.0

    def remove(self, job: Job) -> bool:
        """Take a job out; False where it is not in the line (any more)."""
        with self._changed:
            if job not in self._jobs:
                return False
            self._jobs.remove(job)
            return True

    def set_state(self, job: Job, state: str) -> bool:
        """Pause or resume a job that waits; False where it does not wait (any more)."""
        with self._changed:
            if job not in self._jobs:
                return False
            job.state = state  # type: ignore[assignment]
            self._changed.notify_all()
            return True

    def move(self, job: Job, index: int) -> list[Job]:
        """Put a job at this place of the line, with the priority of its new neighbours; returns the line as it is then.

        Raises LookupError for a job that does not wait.
        """
        with self._changed:
            if job not in self._jobs:
                raise LookupError(f"job {job.id} does not wait")
            self._jobs.remove(job)
            index = min(max(index, 0), len(self._jobs))
            self._jobs.insert(index, job)
            before = self._jobs[index - 1].priority if index else None
            after = self._jobs[index + 1].priority if index + 1 < len(self._jobs) else None
            if after is not None and job.priority < after:
                job.priority = after
            if before is not None and job.priority > before:
                job.priority = before
            return self._renumbered()

    def set_priority(self, job: Job, priority: int) -> list[Job]:
        """Give a job another priority and the place that goes with it; returns the line. Raises LookupError."""
        with self._changed:
            if job not in self._jobs:
                raise LookupError(f"job {job.id} does not wait")
            job.priority = priority
            job.position = self.next_position()
            self._sort()
            return self._renumbered()

    def place(self, job: Job) -> int | None:
        """How many jobs are before this one; None for one that is not in the line."""
        with self._changed:
            return self._jobs.index(job) if job in self._jobs else None

    def jobs(self) -> list[Job]:
        """All jobs of the line, paused ones too, in order."""
        with self._changed:
            return list(self._jobs)

    def close(self) -> None:
        """Let `take` return None from now on; what waits stays in the line."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs())

    def _sort(self) -> None:
        self._jobs.sort(key=lambda job: (-job.priority, job.position))

    def _renumbered(self) -> list[Job]:
        for place, job in enumerate(self._jobs, 1):
            job.position = float(place)
        return list(self._jobs)
