"""`easel.db`: what is written comes back, old files are brought up to date, and no file stops the program."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from modules.engine.store.database import open_database
from modules.engine.store.jobs import Event, JobRow, JobStore
from modules.engine.store.schema import MIGRATIONS, VERSION

SCHEMAS = Path(__file__).parent / "schemas"


def store_at(path: Path) -> JobStore:
    return JobStore(open_database(path))


EVENT = Event(1, 1.0, "queued", {})


def row(job_id: str = "task(txt2img-1)", **values: object) -> JobRow:
    fields: dict = {"id": job_id, "kind": "txt2img", "created": 1.0} | values
    return JobRow(**fields)


def test_a_job_comes_back_as_it_was_written(tmp_path: Path) -> None:
    store = store_at(tmp_path / "easel.db")
    number = store.add(row(webhook={"url": "http://a"}, priority=3), {"prompt": "한국어", "seed": 7}, EVENT)
    store.change([(number, {"state": "done", "result": {"files": ["a.png"]}, "finished": 2.0}, None)])
    store.database.close()
    again = store_at(tmp_path / "easel.db")
    read = again.get("task(txt2img-1)")
    assert read is not None and (read.state, read.priority, read.finished) == ("done", 3, 2.0)
    assert read.result == {"files": ["a.png"]} and read.webhook == {"url": "http://a"} and read.error is None
    assert again.body(number) == {"prompt": "한국어", "seed": 7}


def test_the_latest_of_equal_ids_is_meant(tmp_path: Path) -> None:
    store = store_at(tmp_path / "easel.db")
    store.add(row(source="api"), {}, EVENT)
    second = store.add(row(source="page"), {}, EVENT)
    found = store.get("task(txt2img-1)")
    assert found is not None and found.number == second


def test_unfinished_jobs_come_in_the_order_of_the_queue(tmp_path: Path) -> None:
    store = store_at(tmp_path / "easel.db")
    for name, state, priority, position in (
        ("a", "queued", 0, 2.0),
        ("b", "done", 0, 0.0),
        ("c", "paused", 0, 1.0),
        ("d", "running", 5, 9.0),
    ):
        store.add(row(name, state=state, priority=priority, position=position), {}, EVENT)
    assert [job.id for job in store.unfinished()] == ["d", "c", "a"]


def test_only_one_program_adopts_a_job(tmp_path: Path) -> None:
    store = store_at(tmp_path / "easel.db")
    store.add(row(session="dead"), {}, EVENT)
    rows = store.unfinished()
    others = store.unfinished()
    assert [job.id for job in store.adopt(rows, "mine")] == ["task(txt2img-1)"]
    assert store.adopt(others, "theirs") == []


def test_events_follow_their_job_and_go_with_it(tmp_path: Path) -> None:
    store = store_at(tmp_path / "easel.db")
    number = store.add(row(state="done"), {}, EVENT)
    store.change([(number, {}, Event(count, float(count), "running", {"n": count})) for count in (2, 3)])
    assert [event.number for event in store.events(number, after=1)] == [2, 3]
    assert store.prune(0) == [number]
    assert store.events(number) == [] and store.body(number) == {} and store.get("task(txt2img-1)") is None


def test_pruning_keeps_the_newest_and_everything_unfinished(tmp_path: Path) -> None:
    store = store_at(tmp_path / "easel.db")
    store.add(row("waiting"), {}, EVENT)
    for count in range(4):
        store.add(row(f"done{count}", state="done"), {}, EVENT)
    store.prune(2)
    assert [job.id for job in store.newest()] == ["done3", "done2", "waiting"]


def dump_of(version: int) -> str:
    return (SCHEMAS / f"v{version}.sql").read_text("utf-8")


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_every_released_file_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """`schemas/v<n>.sql` is a file as version n left it, with a job that waits and one that is done."""
    path = tmp_path / "easel.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(dump_of(version))
    store = store_at(path)
    assert store.database.durable
    assert {job.id: job.state for job in store.newest()} == {"task(txt2img-aaaaaaa)": "queued", "task(img2img-bbbbbbb)": "done"}
    waiting = store.get("task(txt2img-aaaaaaa)")
    assert waiting is not None and store.body(waiting.number) == {"prompt": "a cat", "seed": 5, "subseed": 6}
    assert [event.name for event in store.events(waiting.number)] == ["queued"]
    store.database.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def shape(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'")]
    return {(table, column[1]) for table in tables for column in connection.execute(f"PRAGMA table_info({table})")}


def test_a_migrated_file_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    shapes = []
    for name, version in (("new.db", 0), ("old.db", 1)):
        with sqlite3.connect(tmp_path / name) as connection:
            connection.executescript(dump_of(version) if version else "")
        open_database(tmp_path / name).close()
        with sqlite3.connect(tmp_path / name) as connection:
            shapes.append(shape(connection))
    assert shapes[0] == shapes[1] and shapes[0]


def test_a_failing_migration_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "easel.db"
    open_database(path).close()
    broken = (*MIGRATIONS, ("CREATE TABLE half (a)", "CREATE NONSENSE"))
    monkeypatch.setattr("modules.engine.store.database.MIGRATIONS", broken)
    monkeypatch.setattr("modules.engine.store.database.VERSION", len(broken))
    with pytest.raises(OperationalError):
        open_database(path)
    with sqlite3.connect(path) as connection:
        assert ("half", "a") not in shape(connection)
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 50, None])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "easel.db"
    store = store_at(path)
    for count in range(200):
        store.add(row(f"job{count}"), {"prompt": "x" * 500}, EVENT)
    store.database.close()
    content = path.read_bytes()
    if damage is None:  # the pages in the middle are gone
        damage = content[:4096] + b"\xff" * (len(content) - 8192) + content[-4096:]
    path.write_bytes(damage)
    with caplog.at_level(logging.ERROR):
        again = store_at(path)
    assert again.database.durable and again.newest() == []
    again.add(row(), {}, EVENT)
    if damage:
        (kept,) = tmp_path.glob("easel.db.damaged-*")
        assert kept.read_bytes() == damage and kept.name in caplog.text


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "easel.db"
    open_database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    database = open_database(path)
    assert not database.durable and "newer version" in caplog.text
    JobStore(database).add(row(), {}, EVENT)
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written_means_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        check_memory(tmp_path / "easel.db", caplog)
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_path_that_cannot_be_a_file_means_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    check_memory(tmp_path / "file" / "easel.db", caplog)


def check_memory(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = store_at(path)
    assert not store.database.durable and "kept in memory" in caplog.text
    store.add(row(), {"prompt": "a"}, EVENT)
    assert [job.id for job in store.newest()] == ["task(txt2img-1)"]
