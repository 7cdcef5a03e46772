"""Running pip, and telling in one sentence why it failed."""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from modules.launcher.errors import LaunchError

AGAIN = "then start again; what is already installed stays"
KEPT_LINES = 200


def run_pip(python: Path, words: Sequence[str], *, scratch: Path | None = None) -> None:
    """Run `python -m pip words…`, passing its output on; raises LaunchError with the reason when it fails.

    `scratch` is where pip unpacks its downloads (default: the system's folder, which is often small).
    """
    environ = {**os.environ, "PIP_IGNORE_INSTALLED": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if scratch is not None and "TMPDIR" not in environ:
        scratch.mkdir(parents=True, exist_ok=True)
        environ["TMPDIR"] = str(scratch)
    status, output = _run([str(python), "-m", "pip", *words], environ)
    if status:
        raise LaunchError(reason(output, status))


def _run(command: list[str], environ: dict[str, str]) -> tuple[int, str]:
    """The command's status and the end of its output, which is shown while it runs."""
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            kept.append(line)
            if not line.startswith("Requirement already satisfied"):
                print(line, end="", flush=True)
    return process.returncode, "".join(kept)


def reason(output: str, status: int) -> str:
    """Why pip failed, from what it printed, and what to do about it."""
    for pattern, sentence in _REASONS:
        if found := re.search(pattern, output):
            return sentence.format(*found.groups(), again=AGAIN)
    errors = [line for line in output.splitlines() if line.startswith("ERROR")] or output.strip().splitlines() or ["it said nothing"]
    return f"pip failed with status {status} ({errors[-1].strip()}); the lines above tell more."


# Tried in this order: a full disk or a missing network also ends in "no matching distribution".
_REASONS = (
    (
        r"No space left on device|Errno 28|not enough space",
        "the disk is full: the installation needs about 8 GB; free some (or name a larger disk by venv_dir), {again}.",
    ),
    (
        r"externally-managed-environment",
        "this Python belongs to the system and takes no packages: unset SKIP_VENV and venv_dir so that a virtual environment is made.",
    ),
    (
        r"Permission denied|Errno 13",
        "no permission to write the packages: run as the owner of the virtual environment, {again}.",
    ),
    (
        r"name resolution|getaddrinfo failed|nodename nor servname|NewConnectionError|Network is unreachable|Connection refused"
        r"|ConnectTimeout|ReadTimeout|Read timed out|ProxyError|Cannot connect to proxy|Max retries exceeded"
        r"|RemoteDisconnected|Connection broken",
        "the package index cannot be reached: check the network or the proxy, or name a mirror by INDEX_URL, {again}.",
    ),
    (
        r"SSLError|CERTIFICATE_VERIFY_FAILED",
        "the package index's certificate is not trusted: check the clock, or name your proxy's certificate by PIP_CERT, {again}.",
    ),
    (
        r"No matching distribution found for (\S+)",
        "there is no wheel of {0} for this Python and machine: use another Python (3.10-3.13, 64 bit) by python_cmd, "
        "or for torch name a source by TORCH_INDEX_URL or TORCH_COMMAND.",
    ),
    (r"No module named pip", "this Python has no pip: install it ('python3 -m ensurepip', or the package python3-pip), {again}."),
)
