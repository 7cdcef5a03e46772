"""What is written down of jobs, so that they outlive the program. Nothing that goes wrong here reaches a job.

A full disk, a damaged file, a folder that cannot be written: each is said in the log, and what is in memory goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modules.engine.jobs import OVER, Job, StoredError
from modules.engine.sessions import Session
from modules.engine.spool import Spool, StoredResult

if TYPE_CHECKING:
    from modules.engine.store.jobs import Event, JobRow, JobStore

log = logging.getLogger(__name__)
T = TypeVar("T")
DATABASE = "easel.db"
FOLDER = "queue"
SAY_AGAIN_SECONDS = 60.0
COLUMNS = ("state", "priority", "position", "started", "attempts", "settings", "webhook")


class Records:
    """The database and the folder of kept pictures of one data folder; both are opened when they are first needed."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.session = Session(data / FOLDER / "sessions")
        self.spool = Spool(None)
        self._store: JobStore | None = None
        self._lock = threading.RLock()
        self._told = 0.0

    @property
    def store(self) -> JobStore:
        """The database; opened at the first use, since its library takes half a second to import."""
        with self._lock:
            if self._store is None:
                self._store = self._open()
            return self._store

    def _open(self) -> JobStore:
        from modules.engine.store.database import open_database
        from modules.engine.store.jobs import JobStore

        database = open_database(self.data / DATABASE)
        if database.durable:
            self.spool.root = self.data / FOLDER
            try:
                self.session.open()
            except OSError as error:
                log.warning("jobs cannot be marked as this program's (%s); another one may take them over", error)
        return JobStore(database)

    @property
    def durable(self) -> bool:
        """Whether what is written here is there after a restart."""
        return self.store.database.durable

    def add(self, job: Job, event: Event) -> None:
        """Write a new job down, with its request and its first event."""
        from modules.engine.store.jobs import JobRow

        columns = {name: getattr(job, name) for name in COLUMNS}
        row = JobRow(job.id, job.kind, source=job.source, parent=job.parent, created=job.created, session=self.session.id, **columns)
        job.number = self.safely(lambda: self.store.add(row, job.body, event), 0)

    def changed(self, changes: Sequence[tuple[Job, Event | None]]) -> None:
        """Write down where jobs stand, and what happened to them."""
        rows = [(job.number, _columns(job), event) for job, event in changes if job.number]
        if rows:
            self.safely(lambda: self.store.change(rows), None)

    def told(self, job: Job, event: Event) -> None:
        """Write down what happened to a job that stands as it stood."""
        if job.number:
            self.safely(lambda: self.store.change([(job.number, {}, event)]), None)

    def reorder(self, jobs: list[Job]) -> None:
        order = [(job.number, job.priority, job.position) for job in jobs if job.number]
        self.safely(lambda: self.store.reorder(order), None)

    def event(self, job: Job, name: str, data: Mapping[str, Any]) -> Event:
        """The next event of a job, which is then one of its events."""
        from modules.engine.store.jobs import Event

        event = Event(job.events[-1].number + 1 if job.events else 1, time.time(), name, dict(data))
        job.events.append(event)
        return event

    def keep_result(self, job: Job, result: Any) -> None:
        """Write down a result and keep its pictures; without a durable database they stay in memory."""
        if not job.number or self.spool.root is None:
            return
        paths = list(getattr(result, "paths", None) or [])
        images, first = list(result.images), int(getattr(result, "index_of_first_image", 0))
        saved = [getattr(image, "already_saved_as", None) for image in images]
        if not any(saved) and len(paths) == len(images) - first:
            saved = [None] * first + paths
        try:
            files = self.spool.keep(job.number, images, saved)
        except OSError as error:
            self._say(error)
            return
        job.stored = StoredResult.of(result, files).to_json()
        job.load_result = lambda: StoredResult.from_json(job.stored or {})

    def forget_journal(self, job: Job) -> None:
        """Delete what was recorded while a job ran."""
        path = self.spool.journal(job.number) if job.number else None
        if path is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)
                path.parent.rmdir()  # only where nothing else is in it

    def unfinished(self) -> list[Job]:
        """Jobs of programs that have ended, now this program's; their state is as it was, a crashed one's "running"."""
        rows: list[JobRow] = self.safely(lambda: self.store.unfinished(), [])
        orphans = [row for row in rows if not self.session.is_alive(row.session)]
        taken: list[JobRow] = self.safely(lambda: self.store.adopt(orphans, self.session.id), [])
        return [self._job(row) for row in taken]

    def find(self, job_id: str) -> Job | None:
        """A job that is over, or one of another program, as it is written down."""
        row = self.safely(lambda: self.store.get(job_id), None)
        return None if row is None else self._job(row)

    def newest(self, states: Sequence[str], limit: int, before: int | None) -> list[Job]:
        """Jobs as they are written down, the newest first."""
        rows: list[JobRow] = self.safely(lambda: self.store.newest(states=states, limit=limit, before=before), [])
        return [self._job(row, whole=False) for row in rows]

    def body(self, job: Job) -> dict[str, Any]:
        """The request of a job as data."""
        if not job.body and job.number:
            job.body = self.safely(lambda: self.store.body(job.number), {})
        return job.body

    def prune(self, keep: int) -> None:
        """Forget all finished jobs but the newest ones, with their kept pictures."""
        gone: list[int] = self.safely(lambda: self.store.prune(keep), [])
        for number in gone:
            self.spool.forget(number)

    def close(self) -> None:
        with self._lock:
            if self._store is not None:
                self._store.database.close()
            self.session.close()

    def _job(self, row: JobRow, *, whole: bool = True) -> Job:
        job = Job(None, row.id, number=row.number, created=row.created, started=row.started, finished_at=row.finished)
        job.stored_kind, job.source, job.parent, job.attempts = row.kind, row.source, row.parent, row.attempts
        job.priority, job.position = row.priority, row.position
        job.settings, job.webhook, job.stored = row.settings, row.webhook, row.result
        job.state = row.state  # type: ignore[assignment]
        if row.error:
            job.error = StoredError(row.error.get("kind", "Error"), row.error.get("message", ""))
        if row.result:
            job.load_result = lambda: StoredResult.from_json(row.result or {})
        if whole:
            job.events = self.safely(lambda: self.store.events(row.number), [])
        if row.state in OVER:
            job.wake()
        return job

    def safely(self, work: Callable[[], T], otherwise: T) -> T:
        """What `work` returns, or `otherwise` where the database fails, which the log says."""
        from sqlalchemy.exc import DatabaseError, SQLAlchemyError

        try:
            return work()
        except (SQLAlchemyError, OSError) as error:
            self._say(error)
            if isinstance(error, DatabaseError) and "malformed" in str(error.orig):
                self._begin_anew()
            return otherwise

    def _say(self, error: Exception) -> None:
        """Tell the log, once a minute at most."""
        now = time.monotonic()
        if not self._told or now - self._told > SAY_AGAIN_SECONDS:
            self._told = now
            reason = getattr(error, "orig", None) or error
            log.error("the queue could not be written down (%s): jobs go on, but would be lost if the program ended now", reason)

    def _begin_anew(self) -> None:
        """The file turned out to be damaged while it was open."""
        with self._lock:
            if self._store is not None:
                self._store.database.close()
                self._store = None
                self.session.close()


def _columns(job: Job) -> dict[str, Any]:
    """Everything about a job that changes while it is on its way."""
    columns = {name: getattr(job, name) for name in COLUMNS}
    error = None if job.error is None else {"kind": getattr(job.error, "kind", type(job.error).__name__), "message": str(job.error)}
    return {**columns, "error": error, "result": job.stored, "finished": job.finished_at}
