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
from dataclasses import dataclass, field
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


@dataclass
class Opened:
    """A page and what went wrong on it: errors of its console, requests to other hosts."""

    page: Any
    problems: list[str] = field(default_factory=list)


def open_page(context: Any, server: Server) -> Opened:
    """Open the page in a new tab and wait until it is complete."""
    opened = Opened(context.new_page())
    opened.page.on("console", lambda message: opened.problems.append(message.text) if message.type == "error" else None)
    opened.page.on("pageerror", lambda error: opened.problems.append(str(error)))
    opened.page.on("request", lambda request: opened.problems.extend(foreign(request.url, server.url)))
    opened.page.goto(server.url)
    wait_until_loaded(opened.page)
    return opened


@pytest.fixture(scope="session")
def shared_tab(browser: Any, server: Server) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    yield open_page(context, server)
    context.close()


@pytest.fixture
def page(shared_tab: Opened) -> Iterator[Any]:
    """The page, open since the first test and with what the last one typed; must stay free of problems."""
    shared_tab.problems.clear()
    yield shared_tab.page
    assert shared_tab.problems == []


@pytest.fixture
def fresh(browser: Any, server: Server) -> Iterator[Opened]:
    """The page in a browser profile of its own."""
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    opened = open_page(context, server)
    yield opened
    assert opened.problems == []
    context.close()


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
