"""What every test gets: fixed randomness, one thread, no network but this machine, and the shared fixtures."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
for folder in (ROOT, ROOT / "tests"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

os.environ.setdefault("OMP_NUM_THREADS", "1")  # recorded pictures are bit-identical on one thread only
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
for name in ("COMMANDLINE_ARGS", "IGNORE_CMD_ARGS_ERRORS"):
    os.environ.pop(name, None)

try:
    import hypothesis
except ImportError:
    pass
else:
    hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
    hypothesis.settings.load_profile("repeatable")

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that connects to anything but this machine fails."""
    connect = socket.socket.connect

    def connect_here(sock: socket.socket, address: Any) -> Any:
        host = address[0] if isinstance(address, tuple) else ""
        if sock.family != getattr(socket, "AF_UNIX", None) and host not in ("127.0.0.1", "::1", "localhost", "", "0.0.0.0"):
            raise ConnectionRefusedError(f"tests touch no network, but {address} was asked for")
        return connect(sock, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """A data folder of its own with the tiny checkpoints, free to be written into."""
    from golden_data import data_folder, link_tree

    folder = tmp_path / "data"
    link_tree(data_folder(), folder)
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser installed on this machine; skips where there is none (nothing is downloaded)."""
    wanted = os.environ.get("CHROMIUM")
    for candidate in (wanted, *CHROMIUM_NAMES):
        found = shutil.which(candidate) if candidate else None
        if found:
            return found
    pytest.skip("no Chromium here: install one (apt-get install chromium) or name it in the variable CHROMIUM")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    """A headless Chromium driven by Playwright's synchronous API."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, headless=True, args=["--no-sandbox"])
        yield running
        running.close()
