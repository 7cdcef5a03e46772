"""Jobs, their events and what is owed to webhooks, as rows of `easel.db`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from modules.engine.store.database import Database
from modules.engine.store.schema import deliveries, events, jobs, requests

UNFINISHED = ("queued", "running", "paused")
JSON_COLUMNS = ("error", "result", "settings", "webhook")


@dataclass
class JobRow:
    """A job as it is stored; times in seconds since 1970. The request is fetched on its own, as it may hold whole pictures."""

    id: str
    kind: str
    state: str = "queued"
    source: str = "api"
    priority: int = 0
    position: float = 0.0
    parent: str | None = None
    session: str = ""
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    attempts: int = 0
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    settings: dict[str, Any] | None = None
    webhook: dict[str, Any] | None = None
    number: int = 0


@dataclass(frozen=True)
class Event:
    """Something that happened to a job; `number` counts from 1 within the job."""

    number: int
    at: float
    name: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Delivery:
    """A message that a webhook has not taken yet."""

    number: int
    job: str
    url: str
    secret: str
    body: str
    attempts: int


class JobStore:
    """Reads and writes; every method is one transaction and raises SQLAlchemyError where the file cannot be used."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, row: JobRow, body: Mapping[str, Any], event: Event) -> int:
        """Insert a job with its request and its first event; returns its number."""
        values = {name: value for name, value in _values(vars(row)).items() if name != "number"}
        with self.database.writing() as connection:
            number = connection.execute(insert(jobs).values(**values).returning(jobs.c.number)).scalar_one()
            connection.execute(insert(requests).values(job=number, body=json.dumps(body)))
            connection.execute(insert(events).values(job=number, **_event(event)))
        return number

    def change(self, changes: Iterable[tuple[int, Mapping[str, Any], Event | None]]) -> None:
        """Set columns of jobs and append an event to each: (number, columns, event)."""
        with self.database.writing() as connection:
            for number, values, event in changes:
                if values:
                    connection.execute(update(jobs).where(jobs.c.number == number).values(**_values(values)))
                if event is not None:
                    connection.execute(insert(events).values(job=number, **_event(event)))

    def reorder(self, order: Iterable[tuple[int, int, float]]) -> None:
        """Set (number, priority, position) of many jobs."""
        with self.database.writing() as connection:
            for number, priority, position in order:
                connection.execute(update(jobs).where(jobs.c.number == number).values(priority=priority, position=position))

    def get(self, job_id: str) -> JobRow | None:
        """The latest job with this id."""
        query = select(jobs).where(jobs.c.id == job_id).order_by(jobs.c.number.desc()).limit(1)
        with self.database.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else _job(row)

    def body(self, number: int) -> dict[str, Any]:
        """The request of a job; empty where it is gone."""
        with self.database.reading() as connection:
            text = connection.execute(select(requests.c.body).where(requests.c.job == number)).scalar()
        return json.loads(text) if text else {}

    def newest(self, *, states: Sequence[str] = (), limit: int = 100, before: int | None = None) -> list[JobRow]:
        """Jobs, the newest first; `before` is the number after which a page goes on."""
        query = select(jobs).order_by(jobs.c.number.desc()).limit(limit)
        if states:
            query = query.where(jobs.c.state.in_(states))
        if before is not None:
            query = query.where(jobs.c.number < before)
        with self.database.reading() as connection:
            return [_job(row) for row in connection.execute(query)]

    def unfinished(self) -> list[JobRow]:
        """Jobs that wait or ran when their program ended, in the order of the queue."""
        query = select(jobs).where(jobs.c.state.in_(UNFINISHED)).order_by(jobs.c.priority.desc(), jobs.c.position, jobs.c.number)
        with self.database.reading() as connection:
            return [_job(row) for row in connection.execute(query)]

    def adopt(self, rows: Sequence[JobRow], session: str) -> list[JobRow]:
        """Make jobs those of another session; the ones that nobody else took in between."""
        taken = []
        with self.database.writing() as connection:
            for row in rows:
                where = (jobs.c.number == row.number) & (jobs.c.session == row.session)
                if connection.execute(update(jobs).where(where).values(session=session)).rowcount:
                    row.session = session
                    taken.append(row)
        return taken

    def last_position(self) -> float:
        with self.database.reading() as connection:
            return float(connection.execute(select(func.max(jobs.c.position))).scalar() or 0.0)

    def prune(self, keep: int) -> list[int]:
        """Forget finished jobs but for the newest `keep`; returns the numbers of those forgotten."""
        old = select(jobs.c.number).where(jobs.c.state.not_in(UNFINISHED)).order_by(jobs.c.number.desc()).offset(keep)
        with self.database.writing() as connection:
            numbers = [int(number) for number in connection.execute(old).scalars()]
            for number in numbers:
                for table, column in ((events, events.c.job), (requests, requests.c.job), (jobs, jobs.c.number)):
                    connection.execute(delete(table).where(column == number))
        return numbers

    def events(self, number: int, after: int = 0) -> list[Event]:
        """The events of a job after event `after`, in order."""
        query = select(events).where((events.c.job == number) & (events.c.number > after)).order_by(events.c.number)
        with self.database.reading() as connection:
            return [Event(row.number, row.at, row.name, json.loads(row.data)) for row in connection.execute(query)]

    def owe(self, job_id: str, url: str, secret: str, body: str) -> None:
        """Note a message to a webhook."""
        with self.database.writing() as connection:
            values = {"job": job_id, "url": url, "secret": secret, "body": body, "attempts": 0, "due": time.time()}
            connection.execute(insert(deliveries).values(**values))

    def due(self, now: float) -> list[Delivery]:
        """Messages whose time has come."""
        query = select(deliveries).where(deliveries.c.due <= now).order_by(deliveries.c.number).limit(16)
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
        return [Delivery(row.number, row.job, row.url, row.secret, row.body, row.attempts) for row in rows]

    def next_due(self) -> float | None:
        """When the next message is to be sent; None when nothing is owed."""
        with self.database.reading() as connection:
            return connection.execute(select(func.min(deliveries.c.due))).scalar()

    def postpone(self, number: int, attempts: int, due: float) -> None:
        with self.database.writing() as connection:
            connection.execute(update(deliveries).where(deliveries.c.number == number).values(attempts=attempts, due=due))

    def settle(self, number: int) -> None:
        """A message arrived, or will never."""
        with self.database.writing() as connection:
            connection.execute(delete(deliveries).where(deliveries.c.number == number))


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name in JSON_COLUMNS and value is not None else value for name, value in values.items()}


def _event(event: Event) -> dict[str, Any]:
    return {"number": event.number, "at": event.at, "name": event.name, "data": json.dumps(event.data)}


def _job(row: Row[Any]) -> JobRow:
    values = dict(row._mapping)
    for name in JSON_COLUMNS:
        values[name] = json.loads(values[name]) if values[name] else None
    return JobRow(**values)
