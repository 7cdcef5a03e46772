"""Opening `easel.db`: a file that cannot be used never stops the program.

A corrupt file is set aside and a new one begun; where nothing can be written, or the file is of a newer Easel, everything
works in memory until the program ends. Each case is said once in the log.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from modules.engine.store.schema import MIGRATIONS, VERSION

log = logging.getLogger(__name__)
BUSY_MILLISECONDS = 5000
CHECKED_UP_TO = 64 * 1024 * 1024
"""Size in bytes up to which a file is checked throughout when it is opened."""
SIDE_FILES = ("", "-wal", "-shm", "-journal")


class NewerDatabase(Exception):
    """The file was written by a later version."""


class BrokenDatabase(Exception):
    """The file is no database, or a damaged one."""


class Database:
    """One open database; `durable` is False where it lives in memory only."""

    def __init__(self, engine: Engine, *, durable: bool) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self.durable = durable

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection whose changes are kept if the block ends well. Raises SQLAlchemyError."""
        with self._lock, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one moment and holds up no writer. Raises SQLAlchemyError."""
        guard = nullcontext() if self.durable else self._lock  # in memory all threads share one connection
        with guard, self._engine.connect().execution_options(reading=True) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        self._engine.dispose()


def open_database(path: Path) -> Database:
    """The database of this file, brought to the present version; in memory where the file cannot be used."""
    try:
        return _opened(path)
    except BrokenDatabase as error:
        kept = _set_aside(path)
        if kept is not None:
            log.error("the database '%s' is damaged (%s); it was set aside as '%s' and a new one begun", path, error, kept.name)
            try:
                return _opened(path)
            except (BrokenDatabase, OSError) as again:
                return _in_memory(path, str(again))
        return _in_memory(path, str(error))
    except NewerDatabase as error:
        return _in_memory(path, str(error))
    except OSError as error:
        return _in_memory(path, error.strerror or str(error))


def _opened(path: Path) -> Database:
    _check_writable(path)
    engine = _connected(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            _check(connection, path)
            migrate(connection)
    except DatabaseError as error:
        engine.dispose()
        if _is_damage(error):
            raise BrokenDatabase(str(error.orig)) from error
        raise OSError(str(error.orig)) from error
    except BaseException:
        engine.dispose()
        raise
    return Database(engine, durable=True)


def _check_writable(path: Path) -> None:
    """Raise OSError where the folder or the file may not be written; SQLite itself would notice at the first change only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    probe = path.with_name(f"{path.name}.{os.getpid()}.probe")
    probe.touch()
    probe.unlink()
    if path.exists():
        with path.open("r+b"):
            pass


def _connected(address: str, **options: Any) -> Engine:
    engine = create_engine(address, connect_args={"check_same_thread": False}, **options)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Writers take their lock at once: a reader that turns into a writer would fail where another wrote in between."""
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None  # `_begin` begins; the driver's own way would leave migrations outside the transaction
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_MILLISECONDS}"):
        connection.execute(f"PRAGMA {pragma}")


def _check(connection: Connection, path: Path) -> None:
    whole = path.stat().st_size <= CHECKED_UP_TO
    answer = connection.exec_driver_sql("PRAGMA quick_check(1)" if whole else "PRAGMA schema_version").scalar()
    if whole and answer != "ok":
        raise BrokenDatabase(str(answer))


def migrate(connection: Connection) -> None:
    """Bring the tables from their version to the present one. Raises NewerDatabase."""
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar() or 0)
    if version > VERSION:
        raise NewerDatabase(f"it was written by a newer version (schema {version}, known are those up to {VERSION})")
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.exec_driver_sql(statement)
    if version != VERSION:
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")


def _is_damage(error: DatabaseError) -> bool:
    text = str(error.orig)
    return any(sign in text for sign in ("malformed", "not a database", "no such table", "no such column", "already exists"))


def _set_aside(path: Path) -> Path | None:
    """Rename the file and what belongs to it; the new name, or None where that cannot be done."""
    moment = time.strftime("%Y%m%d-%H%M%S")
    kept = next(name for n in range(1000) if not (name := path.with_name(f"{path.name}.damaged-{moment}{f'-{n}' if n else ''}")).exists())
    try:
        for ending in SIDE_FILES:
            side = path.with_name(path.name + ending)
            if side.exists():
                side.rename(kept.with_name(kept.name + ending))
    except OSError:
        return None
    return kept


def _in_memory(path: Path, reason: str) -> Database:
    log.warning("the database '%s' cannot be used: %s. Queue and history are kept in memory and end with the program.", path, reason)
    engine = _connected("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        migrate(connection)
    return Database(engine, durable=False)
