"""A real server over the tiny checkpoints, and a page of it that must stay free of errors and foreign requests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 180
CHECKPOINT = "tiny-sd1.safetensors"


@dataclass
class Server:
    url: str
    data: Path


@pytest.fixture(scope="session")
def server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`webui.py` as a process of its own, with a data folder that may be written into."""
    from golden_data import data_folder, link_tree

    source = data_folder(f"models/Stable-diffusion/{CHECKPOINT}")
    data = tmp_path_factory.mktemp("page") / "data"
    link_tree(source, data)
    (data / "config.json").write_text(json.dumps({"sd_model_checkpoint": CHECKPOINT, "live_preview_refresh_period": 100}))
    port = _free_port()
    log = data / "server.log"
    command = [sys.executable, "webui.py", "--port", str(port), "--data-dir", str(data)]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=_environment())
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}", process, log)
            yield Server(f"http://127.0.0.1:{port}", data)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    """The opened page; afterwards fails if the console had an error or another host was asked."""
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    opened = context.new_page()
    problems: list[str] = []
    opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: problems.extend(foreign(request.url, server.url)))
    opened.goto(server.url)
    wait_until_loaded(opened)
    yield opened
    context.close()
    assert problems == []


def foreign(url: str, home: str) -> list[str]:
    """The address, if it is not the server's own."""
    return [] if url.startswith((home, "data:", "blob:")) else [f"asked {url}"]


def wait_until_loaded(page: Any) -> None:
    """Wait for the form and for the first token count, the last thing that happens at load."""
    page.wait_for_selector("#txt2img_prompt textarea", timeout=60_000)
    page.wait_for_selector("#txt2img_token_counter[data-counted]", timeout=60_000)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("COMMANDLINE_ARGS", "GRADIO_TEMP_DIR")}
    return {**kept, "OMP_NUM_THREADS": "1", "BROWSER": "true"}


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        state = _startup_state(url)
        if state.get("ready"):
            return
        if state.get("error"):
            break
        time.sleep(0.2)
    pytest.fail(f"the page did not start:\n{log.read_text()[-4000:]}")


def _startup_state(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{url}/internal/startup", timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return {}
