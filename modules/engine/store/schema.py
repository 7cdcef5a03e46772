"""The tables of `easel.db`, and the way from every released version to this one.

`user_version` of the file counts the migrations it has been through. A migration that was released is never edited; a
change is a new one at the end, with a file of the version before it in `tests/engine/schemas/`.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Integer, MetaData, Table, Text

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (  # 1: the queue
        """CREATE TABLE jobs (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
            source TEXT NOT NULL, priority INTEGER NOT NULL, position REAL NOT NULL, parent TEXT, session TEXT NOT NULL,
            created REAL NOT NULL, started REAL, finished REAL, attempts INTEGER NOT NULL,
            error TEXT, result TEXT, settings TEXT, webhook TEXT)""",
        "CREATE INDEX jobs_by_id ON jobs (id)",
        "CREATE INDEX jobs_by_state ON jobs (state)",
        "CREATE TABLE requests (job INTEGER PRIMARY KEY REFERENCES jobs (number) ON DELETE CASCADE, body TEXT NOT NULL)",
        """CREATE TABLE events (
            job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE, number INTEGER NOT NULL,
            at REAL NOT NULL, name TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID""",
        """CREATE TABLE deliveries (
            number INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, url TEXT NOT NULL, secret TEXT NOT NULL,
            body TEXT NOT NULL, attempts INTEGER NOT NULL, due REAL NOT NULL)""",
    ),
)
VERSION = len(MIGRATIONS)

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("position", Float, nullable=False),
    Column("parent", Text),
    Column("session", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("result", Text),
    Column("settings", Text),
    Column("webhook", Text),
)

requests = Table(
    "requests",
    metadata,
    Column("job", Integer, ForeignKey("jobs.number"), primary_key=True),
    Column("body", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("job", Integer, ForeignKey("jobs.number"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("name", Text, nullable=False),
    Column("data", Text, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("job", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Float, nullable=False),
)
