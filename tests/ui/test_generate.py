"""Stopping a task, whenever the wish to stop arrives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modules.engine.jobs import Job


class Engine:
    """An engine that only keeps jobs."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.interrupted = False

    def submit(self, request: Any, task_id: str | None = None, **_: Any) -> Job:
        job = Job(request, task_id or "made up")
        self.jobs[job.id] = job
        return job

    def job(self, task_id: str) -> Job | None:
        return self.jobs.get(task_id)

    def interrupt(self) -> None:
        self.interrupted = True


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def stops(engine: Engine) -> Any:
    generate = pytest.importorskip("modules.ui.generate")
    return generate.Stops(engine)


def test_a_waiting_or_running_task_is_stopped_and_no_other(engine: Engine, stops: Any) -> None:
    mine, other = stops.submit(SimpleNamespace(), "mine"), stops.submit(SimpleNamespace(), "other")
    stops.interrupt("mine")
    assert mine.progress.interrupted and not other.progress.interrupted and not engine.interrupted


def test_a_stop_that_overtakes_its_task_counts_once(stops: Any) -> None:
    stops.interrupt("mine")
    assert stops.submit(SimpleNamespace(), "mine").progress.interrupted
    assert not stops.submit(SimpleNamespace(), "mine").progress.interrupted


def test_without_a_task_whatever_runs_is_stopped(engine: Engine, stops: Any) -> None:
    stops.interrupt("")
    assert engine.interrupted


def test_a_finished_task_is_left_alone(stops: Any) -> None:
    job = stops.submit(SimpleNamespace(), "mine")
    job.finish("failed", error=ValueError("x"))
    stops.interrupt("mine")
    assert not job.progress.interrupted
