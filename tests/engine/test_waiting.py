"""The line of waiting jobs against a plain model of it."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.engine.jobs import Job
from modules.engine.waiting import WaitingLine


def job(name: str, priority: int = 0) -> Job:
    request: Any = SimpleNamespace()
    return Job(request, name, priority=priority)


def ids(line: WaitingLine) -> str:
    return "".join(waiting.id for waiting in line)


def line_of(text: str) -> tuple[WaitingLine, dict[str, Job]]:
    line, jobs = WaitingLine(), {name: job(name) for name in text}
    for waiting in jobs.values():
        line.put(waiting)
    return line, jobs


def test_first_come_first_served_within_a_priority() -> None:
    line = WaitingLine()
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)):
        line.put(job(name, priority))
    assert ids(line) == "bdace"


@given(st.text("abcdef", min_size=1, max_size=6).map(lambda text: "".join(dict.fromkeys(text))), st.integers(0, 5), st.integers(-2, 8))
def test_a_moved_job_is_where_it_was_put(names: str, which: int, index: int) -> None:
    line, jobs = line_of(names)
    name = names[which % len(names)]
    line.move(jobs[name], index)
    others = names.replace(name, "")
    place = min(max(index, 0), len(others))
    assert ids(line) == others[:place] + name + others[place:]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=2, max_size=8), st.integers(0, 7), st.integers(0, 7))
def test_the_order_is_the_same_when_it_is_read_back(rows: list[tuple[int, int]], which: int, index: int) -> None:
    """Priority and position as they are stored give the order of the line, also after a move across priorities."""
    line = WaitingLine()
    jobs = [job(chr(97 + n), priority) for n, (priority, _) in enumerate(rows)]
    for waiting in jobs:
        line.put(waiting)
    line.move(jobs[which % len(jobs)], index)
    stored = sorted(line, key=lambda waiting: (-waiting.priority, waiting.position))
    assert "".join(waiting.id for waiting in stored) == ids(line)


def test_paused_jobs_are_passed_over() -> None:
    line, jobs = line_of("abc")
    line.set_state(jobs["a"], "paused")
    assert line.take() is jobs["b"]
    line.set_state(jobs["a"], "queued")
    assert line.take() is jobs["a"]


def test_taking_waits_for_a_job_and_ends_with_the_line() -> None:
    line, taken = WaitingLine(), []
    thread = threading.Thread(target=lambda: taken.extend(iter(line.take, None)))
    thread.start()
    line.put(job("a"))
    line.put(job("b"))
    while len(taken) < 2:
        thread.join(0.01)
    line.close()
    thread.join(10)
    assert [waiting.id for waiting in taken] == ["a", "b"] and not thread.is_alive()


def test_a_job_that_does_not_wait_cannot_be_moved() -> None:
    line, _ = line_of("ab")
    with pytest.raises(LookupError):
        line.move(job("x"), 0)
    assert not line.remove(job("x")) and not line.set_state(job("x"), "paused")


def test_a_thousand_jobs() -> None:
    line = WaitingLine()
    jobs = [job(str(n)) for n in range(1000)]
    for waiting in jobs:
        line.put(waiting)
    line.move(jobs[999], 0)
    line.set_priority(jobs[500], 1)
    assert [waiting.id for waiting in line][:3] == ["500", "999", "0"] and len(line) == 1000
