"""The queue: states, order, and what is left of it when the program ends."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from drawing import Drawing, drawing_engine, request

from modules.engine.engine import Engine
from modules.engine.jobs import Job, JobCancelled, JobPutOff, StoredError
from modules.engine.queue import JobStateError, QueueFull
from modules.engine.spool import ResultGone

Made = tuple[Engine, Drawing]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Made]]:
    made: list[Made] = []

    def maker(data: Path = tmp_path, **settings: Any) -> Made:
        made.append(drawing_engine(data, **settings))
        return made[-1]

    yield maker
    for engine, drawing in made:
        drawing.go.set()
        engine.close()


def busy(made: Made) -> Job:
    """A job that runs until `go` is set."""
    engine, drawing = made
    job = engine.submit(request("waits"))
    assert drawing.began.wait(30)
    return job


def names(job: Job) -> list[str]:
    return [event.name for event in job.events]


def test_a_job_goes_its_way(make: Callable[..., Made]) -> None:
    engine, _ = make()
    job = engine.submit(request(seed=5, batch_size=2), "task(mine)")
    assert len(job.wait(30).images) == 2
    assert job.state == "done" and names(job) == ["queued", "running", "done"]
    assert job.created <= job.started <= job.finished_at  # type: ignore[operator]
    assert engine.job("task(mine)") is job and engine.job("nobody") is None


def test_what_a_run_reports_is_among_the_jobs_events(make: Callable[..., Made]) -> None:
    engine, drawing = make()

    def reporting(asked: Any, runtime: Any) -> Any:
        runtime.report("recovery", {"cure": "tiled"})
        return drawing(asked, runtime)

    engine.executors["txt2img"] = reporting
    job = engine.submit(request(), "job")
    job.wait(30)
    assert names(job) == ["queued", "running", "recovery", "done"] and job.events[2].data == {"cure": "tiled"}
    stored = engine.records.find("job")
    assert stored is not None and stored.events == job.events


def test_a_failed_job_fails_alone(make: Callable[..., Made]) -> None:
    engine, _ = make()
    bad, good = engine.submit(request("fails")), engine.submit(request())
    with pytest.raises(ValueError, match="asked to fail"):
        bad.wait(30)
    assert good.wait(30) and bad.state == "failed"
    assert bad.events[-1].data == {"error": "ValueError", "message": "it was asked to fail"}


def test_order_priorities_and_moves(make: Callable[..., Made]) -> None:
    made = make()
    engine, drawing = made
    busy(made)
    a, b, c = (engine.submit(request(name)) for name in "abc")
    urgent = engine.submit(request("urgent"), priority=5)
    engine.queue.move(c, 1)
    engine.queue.set_priority(b, 9)
    assert [job.request.prompt for job in engine.pending()] == ["b", "urgent", "c", "a"]
    assert [engine.queue.place(job) for job in (b, urgent, c, a)] == [0, 1, 2, 3]
    drawing.go.set()
    a.wait(30)
    assert drawing.order == ["waits", "b", "urgent", "c", "a"]


def test_pausing_and_resuming_a_job_that_waits(make: Callable[..., Made]) -> None:
    made = make()
    engine, drawing = made
    first = busy(made)
    held, other = engine.submit(request("held")), engine.submit(request("other"))
    engine.queue.pause(held)
    drawing.go.set()
    other.wait(30)
    assert held.state == "paused" and engine.pending() == [] and first.state == "done"
    engine.queue.resume(held)
    held.wait(30)
    assert names(held) == ["queued", "paused", "queued", "running", "done"]
    with pytest.raises(JobStateError, match="is done"):
        engine.queue.pause(held)


def test_pausing_a_job_that_runs_lets_the_next_one_in(make: Callable[..., Made]) -> None:
    made = make()
    engine, drawing = made
    job = busy(made)
    other = engine.submit(request("other"))
    engine.queue.pause(job)
    other.wait(30)
    assert job.state == "paused" and not job.finished
    drawing.go.set()
    engine.queue.resume(job)
    assert job.wait(30) and job.attempts == 2


def test_cancelling(make: Callable[..., Made]) -> None:
    made = make()
    engine, _ = made
    running, waiting = busy(made), engine.submit(request())
    engine.queue.cancel(waiting)
    engine.queue.cancel(running)
    for job in (running, waiting):
        with pytest.raises(JobCancelled):
            job.wait(30)
        assert job.state == "cancelled"
    with pytest.raises(JobStateError, match="cancelled already"):
        engine.queue.cancel(waiting)


def test_retrying_takes_the_same_seed(make: Callable[..., Made]) -> None:
    made = make()
    engine, drawing = made
    job = busy(made)
    seed = job.original.seed
    engine.queue.cancel(job)
    job.finished_within(30)
    drawing.go.set()
    assert engine.queue.retry(job).wait(30).seed == seed >= 0
    with pytest.raises(JobStateError, match="is done"):
        engine.queue.retry(job)


def test_what_is_undone_goes_on_in_the_next_program(make: Callable[..., Made]) -> None:
    first = make()
    running = busy(first)
    engine, _ = first
    waiting = [engine.submit(request(f"p{n}", seed=n), f"job{n}") for n in range(3)]
    engine.queue.move(waiting[2], 0)
    engine.queue.pause(waiting[0])
    engine.close()
    with pytest.raises(JobPutOff, match="goes on"):
        running.wait(1)
    again, drawing = make()
    drawing.go.set()
    again.start()
    last = again.job("job1")
    assert last is not None and last.wait(30).seed == 1
    assert drawing.order == ["waits", "p2", "p1"]
    held = again.job("job0")
    assert held is not None and held.state == "paused"


def test_a_finished_job_is_there_for_the_next_program(make: Callable[..., Made], tmp_path: Path) -> None:
    engine, _ = make()
    result = engine.submit(request(seed=7), "job").wait(30)
    with pytest.raises(ValueError):
        engine.submit(request("fails"), "bad").wait(30)
    engine.close()
    again, _ = make()
    job = again.job("job")
    assert job is not None and job.state == "done" and job.finished
    stored = job.wait(1)
    assert [image.tobytes() for image in stored.images] == [image.tobytes() for image in result.images]
    assert stored.js() == result.js() and stored.images[0].info["parameters"] == "Steps: 1, Seed: 7"
    bad = again.job("bad")
    assert bad is not None
    with pytest.raises(StoredError, match="asked to fail"):
        bad.wait(1)
    for file in (tmp_path / "queue").rglob("*.png"):
        file.unlink()
    with pytest.raises(ResultGone):
        _ = job.wait(1).images


def test_two_programs_share_a_data_folder(make: Callable[..., Made]) -> None:
    one = make()
    busy(one)
    mine = one[0].submit(request("mine"), "mine")
    other, drawing = make()
    other.start()
    assert other.submit(request("theirs")).wait(30)
    assert drawing.order == ["theirs"] and mine.state == "queued"
    seen = other.job("mine")
    assert seen is not None and seen.state == "queued"


def test_a_commands_job_does_not_outlive_it(make: Callable[..., Made]) -> None:
    engine, _ = made = make()
    busy(made)
    engine.submit(request(), "job", source="command")
    engine.close()
    again, _ = make()
    again.start()
    job = again.job("job")
    assert job is not None and job.state == "cancelled"


def test_old_results_are_forgotten(make: Callable[..., Made], tmp_path: Path) -> None:
    engine, _ = make(queue_kept_jobs=3)
    jobs = [engine.submit(request(seed=n), f"job{n}") for n in range(20)]
    jobs[-1].wait(30)
    assert engine.submit(request("the worker is past the end of the last one")).wait(30)
    assert engine.records.find("job0") is None and engine.records.find("job19") is not None
    assert len(list((tmp_path / "queue").rglob("*.png"))) <= 4


def test_memory_stays_flat(make: Callable[..., Made]) -> None:
    engine, _ = make()
    jobs = [engine.submit(request(seed=n), f"job{n}") for n in range(100)]
    jobs[-1].wait(60)
    assert engine.submit(request()).wait(30)
    assert sum(job.result is not None for job in jobs) <= 5
    assert sum(engine.queue.known(job.id) is not None for job in jobs) <= 64
    assert jobs[0].wait(1).images[0].getpixel((0, 0)) == (0, 1, 2)


def test_a_thousand_jobs_wait(make: Callable[..., Made], monkeypatch: pytest.MonkeyPatch) -> None:
    made = make()
    engine, _ = made
    busy(made)
    jobs = [engine.submit(request(), f"job{n}") for n in range(1000)]
    assert [job.id for job in engine.pending()] == [job.id for job in jobs]
    monkeypatch.setattr("modules.engine.queue.MOST_WAITING", 1000)
    with pytest.raises(QueueFull):
        engine.submit(request())
    engine.close()
    again, _ = make()
    again.start()
    assert {job.id for job in again.queue.line} >= {job.id for job in jobs[10:]}


def test_without_a_place_to_write_everything_works_until_the_end(make: Callable[..., Made], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    engine, _ = make(tmp_path / "file")
    job = engine.submit(request(seed=3))
    assert job.wait(30).images[0].getpixel((0, 0)) == (3, 1, 2)
    engine.close()


def test_a_database_that_breaks_while_it_is_used_costs_no_job(
    make: Callable[..., Made], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine, _ = make()
    assert engine.submit(request()).wait(30)
    with sqlite3.connect(tmp_path / "easel.db") as connection:
        for table in ("events", "requests", "jobs"):
            connection.execute(f"DROP TABLE {table}")
    with caplog.at_level(logging.ERROR):
        assert engine.submit(request(), "job").wait(30)
    assert "could not be written down" in caplog.text
    job = engine.job("job")
    assert job is not None and job.state == "done"


def test_a_full_disk_costs_no_picture(make: Callable[..., Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = make()
    assert engine.submit(request()).wait(30)

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("modules.engine.spool.Spool.keep", full)
    jobs = [engine.submit(request(seed=n)) for n in range(10)]
    assert [job.wait(30).images[0].getpixel((0, 0))[0] for job in jobs] == list(range(10))
    assert all(job.state == "done" for job in jobs)


def test_a_listener_that_fails_costs_no_job(make: Callable[..., Made], caplog: pytest.LogCaptureFixture) -> None:
    engine, _ = make()

    def broken(job: Job, event: Any) -> None:
        raise RuntimeError("listener")

    engine.queue.watch(broken)
    assert engine.submit(request()).wait(30)
    assert "listener" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), MemoryError("out of memory")])
def test_nothing_a_job_raises_ends_the_worker(make: Callable[..., Made], error: BaseException) -> None:
    engine, drawing = make()

    def raising(*_: Any) -> Any:
        raise error

    engine.executors["txt2img"] = raising
    with pytest.raises(type(error)):
        engine.submit(request()).wait(30)
    engine.executors["txt2img"] = drawing
    assert engine.submit(request()).wait(30)
