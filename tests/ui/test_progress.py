"""The page's question how a task is going."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from modules.engine.jobs import Job
from modules.ui.progress import data_uri, progress_of


class Engine:
    """Jobs without a worker."""

    def __init__(self, current: Job | None = None, waiting: list[Job] | None = None, over: list[Job] | None = None) -> None:
        self.current = current
        self.options = SimpleNamespace(live_previews_image_format="png")
        self._waiting = waiting or []
        self._jobs = {job.id: job for job in [*self._waiting, *(over or []), *([current] if current else [])]}

    def job(self, task_id: str) -> Job | None:
        return self._jobs.get(task_id)

    def pending(self) -> list[Job]:
        return self._waiting


def job(name: str) -> Job:
    request: Any = SimpleNamespace()
    return Job(request, name)


def test_a_running_task() -> None:
    running = job("a")
    running.progress.job_count, running.progress.sampling_steps, running.progress.sampling_step = 2, 10, 5
    answer = progress_of(Engine(running), "a")
    assert answer.active and not answer.queued and not answer.completed
    assert answer.progress == pytest.approx(0.25)
    assert answer.eta is not None and answer.eta >= 0


def test_a_preview_is_sent_once() -> None:
    running = job("a")
    running.progress.show(Image.new("RGB", (4, 4), (255, 0, 0)))
    first = progress_of(Engine(running), "a", -1)
    assert first.live_preview and first.id_live_preview == running.progress.id_live_preview
    again = progress_of(Engine(running), "a", first.id_live_preview)
    assert again.live_preview is None and again.id_live_preview == first.id_live_preview
    assert progress_of(Engine(running), "a", -1, live_preview=False).live_preview is None


def test_waiting_tasks_know_their_place() -> None:
    answer = progress_of(Engine(job("a"), [job("b"), job("c")]), "c")
    assert answer.queued and not answer.active and answer.textinfo == "In queue: 2/2"


def test_a_finished_task_is_completed_even_if_it_failed() -> None:
    over = job("a")
    over.finish("failed", error=ValueError("x"))
    assert progress_of(Engine(over=[over]), "a").completed


def test_an_unknown_task_is_nothing() -> None:
    answer = progress_of(Engine(), "nobody")
    assert not (answer.active or answer.queued or answer.completed) and answer.textinfo == "Waiting..."


def test_no_task_asked_for_equals_no_task_running() -> None:
    assert progress_of(Engine(), None).active


@pytest.mark.parametrize(("name", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP"), ("nonsense", "PNG")])
def test_a_data_uri_holds_the_picture(name: str, kind: str) -> None:
    header, data = data_uri(Image.new("RGBA", (4, 6), (0, 255, 0, 255)), name).split(",")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (image.format, image.size) == (kind, (4, 6))
    assert header == f"data:image/{kind.lower()};base64"
