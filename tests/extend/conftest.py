"""A program with the recording extension installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden_data import data_folder, link_tree
from starlette.testclient import TestClient

from modules import events, flags
from modules.engine.engine import Engine
from modules.extend.host import Host
from modules.server.app import create_app

FLAGS = ("--api", "--nowebui", "--no-half", "--precision", "full")


class Program:
    """A client of a running program, and what its recording extension wrote down."""

    def __init__(self, data: Path, *more: str) -> None:
        given = flags.parse([*FLAGS, "--data-dir", str(data), *more])
        self.data = data
        self.engine = Engine(given)
        self.client = TestClient(create_app(self.engine, given), base_url="http://127.0.0.1:7860", raise_server_exceptions=False)
        self.client.__enter__()
        answer = self.client.post("/sdapi/v1/options", json={"randn_source": "CPU", "sd_model_checkpoint": "tiny-sd1"})
        assert answer.status_code == 200

    @property
    def host(self) -> Host:
        host: Host = self.engine.scripts
        return host

    @property
    def recorder(self) -> Any:
        """The module of the recording extension."""
        self.host.load()
        return next(entry.module for entry in loaded() if entry.path.endswith("recorder.py"))

    def post(self, route: str, body: dict[str, Any]) -> tuple[Any, list[Any]]:
        """The answer, and what was recorded meanwhile."""
        record = self.recorder.RECORD
        record.clear()
        answer = self.client.post(route, json=body)
        return answer, list(record)

    def close(self) -> None:
        self.client.__exit__(None, None, None)
        self.engine.close()
        events.callbacks.clear()


def loaded() -> list[Any]:
    from modules.extend.loading import scripts_data

    return scripts_data


def install_recorder(data: Path) -> None:
    folder = data / "extensions" / "zz-recorder" / "scripts"
    folder.mkdir(parents=True)
    shutil.copyfile(Path(__file__).parent / "recorder.py", folder / "recorder.py")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    data = tmp_path_factory.mktemp("program") / "data"
    link_tree(data_folder(), data)
    install_recorder(data)
    running = Program(data)
    yield running
    running.close()
