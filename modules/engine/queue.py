"""The queue: every job's way from one state to the next, each written down and told to whoever listens.

queued -> running -> done | failed | cancelled
   \\-> paused <-/         a running job that is paused keeps its journal and goes on where it was
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modules.engine.jobs import OVER, Job
from modules.engine.records import Records
from modules.engine.waiting import WaitingLine
from modules.pipeline.state import JobState

if TYPE_CHECKING:
    from modules.engine.store.jobs import Event

log = logging.getLogger(__name__)
REMEMBERED = 64
"""Finished jobs kept in memory; older ones are read from the database."""
RESULTS_IN_MEMORY = 4
MOST_CRASHES = 5
MOST_WAITING = 10_000
PRUNED_EVERY = 20
Listener = Callable[[Job, "Event"], None]


class JobStateError(Exception):
    """A job cannot do what was asked of it in the state it is in."""


class QueueFull(Exception):
    """Too many jobs wait."""


class JobQueue:
    """All jobs this program knows, those that wait in order."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.line = WaitingLine()
        self.current: Job | None = None
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._over: deque[Job] = deque()
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()
        self._ended = 0

    def add(self, job: Job) -> None:
        """Write a new job down and put it into the line. Raises QueueFull."""
        if len(self.line) >= MOST_WAITING:
            raise QueueFull(f"{MOST_WAITING} jobs wait already; try again when some of them are done")
        with self._lock:
            job.position = self.line.next_position()
            event = self.records.event(job, job.state, {"source": job.source})
            self.records.add(job, event)
            self._jobs[job.id] = job
            self.line.put(job, job.position)
            self._tell(job, event)

    def find(self, job_id: str) -> Job | None:
        """A job by its id: the latest where several had the same."""
        return self._jobs.get(job_id) or self.records.find(job_id)

    def known(self, job_id: str) -> Job | None:
        """A job of this program that waits, runs or ended lately."""
        return self._jobs.get(job_id)

    def pending(self) -> list[Job]:
        """Jobs that wait for their turn, in order, without the paused ones."""
        return [job for job in self.line if job.state == "queued"]

    def place(self, job: Job) -> int | None:
        """How many jobs are before this one in the line; None for one that does not wait."""
        return self.line.place(job)

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with every event of every job, in the thread where it happens; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def pause(self, job: Job) -> None:
        """Hold a job back: one that waits until it is resumed, one that runs after its present evaluation. Raises JobStateError."""
        with self._lock:
            if job.state == "queued" and self.line.set_state(job, "paused"):
                self._changed(job)
            elif job.state in ("running", "queued"):
                self._stop(job, "paused")
            elif job.state != "paused":
                raise JobStateError(f"job {job.id} is {job.state}; only a job that waits or runs can be paused")

    def resume(self, job: Job) -> None:
        """Let a paused job go on. Raises JobStateError."""
        with self._lock:
            if job.state == "paused" and self.line.set_state(job, "queued"):
                self._changed(job)
            elif job.state == "running" and job.wanted == "paused":
                job.wanted = ""
            elif job.state not in ("queued", "running"):
                raise JobStateError(f"job {job.id} is {job.state}; only a paused job can be resumed")

    def cancel(self, job: Job) -> None:
        """End a job without a result. Raises JobStateError for one that is over."""
        with self._lock:
            if job.state in OVER:
                raise JobStateError(f"job {job.id} is {job.state} already")
            if self.line.remove(job):
                self.end(job, "cancelled")
            else:
                self._stop(job, "cancelled")

    def retry(self, job: Job) -> Job:
        """Put a failed or cancelled job into the line again, with the same seeds. Raises JobStateError."""
        with self._lock:
            if job.state not in ("failed", "cancelled"):
                raise JobStateError(f"job {job.id} is {job.state}; only a failed or cancelled job can be tried again")
            self.records.body(job)
            job.reopen()
            job.settings, job.started, job.wanted, job.attempts = None, None, "", 0
            self._jobs[job.id] = job
            if job in self._over:
                self._over.remove(job)
            self.line.put(job)
            self._changed(job)
        return job

    def move(self, job: Job, index: int) -> None:
        """Give a waiting job another place in the line, from 0. Raises JobStateError."""
        self._reorder(job, lambda: self.line.move(job, index))

    def set_priority(self, job: Job, priority: int) -> None:
        """Give a waiting job another priority; higher ones run first. Raises JobStateError."""
        self._reorder(job, lambda: self.line.set_priority(job, priority))

    def take(self) -> Job | None:
        """The next job to run, waiting for one; None when the queue is closed."""
        return self.line.take()

    def begin(self, job: Job) -> None:
        """A job is taken up by the worker."""
        with self._lock:
            self.current, job.state = job, "running"
            job.attempts += 1
            if job.started is None:
                job.started = time.time()
            job.progress.job_timestamp = time.strftime("%Y%m%d%H%M%S", time.localtime(job.started))
            self._changed(job)

    def leave(self, job: Job) -> None:
        """The worker left a job on request: to be paused, to be cancelled, or because the program ends."""
        with self._lock:
            self._close_journal(job, over=False)
            wanted, job.wanted = job.wanted, ""
            if wanted == "cancelled":
                self.end(job, "cancelled")
                return
            job.progress, job.request = JobState(), job.original
            job.state = "paused" if wanted == "paused" else "queued"
            self.line.put(job, job.position)
            self.current = None
            self._changed(job)

    def end(self, job: Job, state: Any, *, result: Any = None, error: BaseException | None = None) -> None:
        """A job is over; its result is kept before anybody hears of it."""
        if result is not None:
            self.records.keep_result(job, result)
        self._close_journal(job, over=True)
        with self._lock:
            if self.current is job:
                self.current = None
            job.settle(state, result=result, error=error)
            self._changed(job)
            self._remember(job)
            job.wake()

    def _close_journal(self, job: Job, *, over: bool) -> None:
        journal, job.journal = job.journal, None
        if journal is not None:
            job.counted = (journal.computed, journal.replayed)
            journal.close()
        if over:
            self.records.forget_journal(job)

    def restore(self, *, paused: bool, keep: int) -> int:
        """Take over what an earlier run of the program left; after a crash `paused` holds it back. Returns how many jobs wait."""
        jobs = self.records.unfinished()
        crashed = any(job.state == "running" for job in jobs)
        with self._lock:
            changes = [(job, self._restored(job, hold=crashed and paused)) for job in jobs]
            self.records.changed(changes)
            for job, event in changes:
                if job.state not in OVER:
                    self.line.put(job, job.position)
                self._tell(job, event)
        self.records.prune(keep)
        return len(jobs)

    def close(self) -> None:
        """Take no job up any more; what waits is put off to the next start, or cancelled where it cannot be kept."""
        self.line.close()
        for job in self.line:
            if self.records.durable and job.number and job.source != "command":
                job.wake()
            elif self.line.remove(job):
                self.end(job, "cancelled")

    def _restored(self, job: Job, *, hold: bool) -> Event:
        crashed = job.state == "running"
        if job.source == "command":
            job.settle("cancelled")
            job.wake()
        elif hold or (crashed and job.attempts >= MOST_CRASHES):
            job.state = "paused"
        elif crashed:
            job.state = "queued"
        self._jobs[job.id] = job
        return self.records.event(job, job.state, {"restored": True, "crashed": crashed})

    def _stop(self, job: Job, wanted: Any) -> None:
        job.wanted = wanted
        job.progress.suspend()

    def _reorder(self, job: Job, work: Callable[[], list[Job]]) -> None:
        try:
            self.records.reorder(work())
        except LookupError:
            raise JobStateError(f"job {job.id} is {job.state}; only a job that waits has a place in the queue") from None

    def _changed(self, job: Job, data: dict[str, Any] | None = None) -> None:
        told = dict(data or {})
        if job.error is not None:
            told |= {"error": type(job.error).__name__, "message": str(job.error)}
        event = self.records.event(job, job.state, told)
        self.records.changed([(job, event)])
        self._tell(job, event)

    def _tell(self, job: Job, event: Event) -> None:
        for listener in list(self._listeners):
            try:
                listener(job, event)
            except Exception:
                log.exception("a listener of the queue failed")

    def report(self, job: Job, name: str, data: dict[str, Any]) -> None:
        """Something worth telling happened to a job that runs."""
        with self._lock:
            event = self.records.event(job, name, data)
            self.records.told(job, event)
            self._tell(job, event)

    def _remember(self, job: Job) -> None:
        """Keep memory flat: few results, few jobs."""
        self._over.append(job)
        if len(self._over) > RESULTS_IN_MEMORY:
            older = self._over[-RESULTS_IN_MEMORY - 1]
            if older.load_result is not None:
                older.result = None
        while len(self._over) > REMEMBERED:
            old = self._over.popleft()
            if self._jobs.get(old.id) is old:
                del self._jobs[old.id]
        self._ended += 1

    def prune_now(self) -> bool:
        """True now and then, when old jobs are due to be forgotten."""
        return self._ended % PRUNED_EVERY == 0
