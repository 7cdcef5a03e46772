"""An engine that draws nothing, for tests whose subject is the server."""

from __future__ import annotations

import json
import threading
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from modules.engine.checkpoints import CheckpointRegistry
from modules.engine.enhancers import Enhancers
from modules.engine.jobs import Job, new_task_id
from modules.engine.paths import Paths
from modules.engine.queue import JobQueue
from modules.engine.records import Records
from modules.engine.vaes import VaeRegistry
from modules.server.app import create_app
from modules.settings.store import Options, SettingsView


class FakeResult:
    def __init__(self, images: list[Image.Image], seed: int) -> None:
        self.images = images
        self.info = {"seed": seed, "infotexts": [image.info["parameters"] for image in images]}

    def js(self) -> str:
        return json.dumps(self.info)


class FakeEngine:
    """Takes requests like the engine and answers with plain pictures of the right size."""

    def __init__(self, data: Path) -> None:
        self.paths = Paths(data, data / "models", (data / "models" / "Stable-diffusion",))
        self.options = Options(data / "config.json")
        self.checkpoints = CheckpointRegistry(self.paths, hashing=False)
        self.vaes = VaeRegistry(self.paths, Namespace())
        self.enhancers = Enhancers(Namespace(), self.paths, self.options, None)
        self.current: Job | None = None
        self.requests: list[Any] = []
        self.loading = 0
        self.builders: dict[str, Any] = {}
        self.executors: dict[str, Any] = {}
        self.queue = JobQueue(Records(data))
        self.records = self.queue.records
        self.before_finish: Callable[[Job], None] = lambda job: None

    def submit(self, request: Any, task_id: str | None = None, **_: Any) -> Job:
        request.validate()
        self.requests.append(request)
        job = Job(request, task_id or new_task_id("txt2img"))
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return job

    def _run(self, job: Job) -> None:
        self.current = job
        try:
            SettingsView(self.options, job.request.override_settings)
            self.before_finish(job)
            image = Image.new("RGB", (job.request.width, job.request.height), (9, 8, 7))
            image.info["parameters"] = f"{job.request.prompt}\nSteps: {job.request.steps}, Seed: 1, Size: 8x8"
            result: Any = FakeResult([image.copy() for _ in range(job.request.batch_size)], job.request.seed)
        except Exception as error:
            self.current = None
            job.finish("failed", error=error)
        else:
            self.current = None
            job.finish("done", result=result)

    def interrupt(self) -> None:
        if self.current:
            self.current.progress.interrupt()

    def skip(self) -> None:
        if self.current:
            self.current.progress.skip()

    def start_loading(self) -> None:
        self.loading += 1


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    for name in ("one.safetensors", "two.safetensors"):
        (folder / name).write_bytes(b"\0" * 16)
    (folder / "two.yaml").write_text("model: {}\n")
    return tmp_path


@pytest.fixture
def engine(data: Path) -> FakeEngine:
    return FakeEngine(data)


@pytest.fixture
def client(engine: FakeEngine) -> TestClient:
    return client_of(engine)


def client_of(engine: Any, *, base_url: str = "http://127.0.0.1:7861", **flags: Any) -> TestClient:
    """A client of an API-only server with these flags."""
    app = create_app(engine, Namespace(**{"api": False, "nowebui": True, "port": None, **flags}))
    return TestClient(app, base_url=base_url, raise_server_exceptions=False)


@pytest.fixture
def make_client(engine: FakeEngine) -> Callable[..., TestClient]:
    return lambda **flags: client_of(engine, **flags)
