"""The virtual environment: made when missing, recognised when broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from modules.launcher.errors import LaunchError
from modules.launcher.options import TESTED_PYTHONS, LaunchOptions, base_python, is_windows

UNFINISHED = ".easel-unfinished"  # lies in an environment while it is being made
PROBE = "import sys, pip; print('%d %d' % sys.version_info[:2])"


def python_of(folder: Path) -> Path:
    """The interpreter inside a virtual environment."""
    return folder / "Scripts" / "python.exe" if is_windows() else folder / "bin" / "python"


def ensure_venv(options: LaunchOptions, folder: Path, agree: Callable[[str], bool]) -> Path:
    """Make the environment if there is none, rebuild it if it is broken and `agree` says yes; returns its interpreter.

    Raises LaunchError when it is broken and may not be rebuilt, or cannot be made.
    """
    _refuse_foreign(folder)
    if (folder / UNFINISHED).exists():
        _remove(folder)
    if options.asks("--rebuild-venv"):
        _remove(folder)
    elif is_venv(folder) and (problem := problem_of(folder)):
        sentence = f"the virtual environment {folder} is broken: {problem}"
        if not agree(sentence):
            raise LaunchError(f"{sentence}; run './webui.sh --rebuild-venv' or delete that folder to have it made anew.")
        _remove(folder)
    if not is_venv(folder):
        create(options, folder)
    return python_of(folder)


def is_venv(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file()


def problem_of(folder: Path) -> str:
    """What is wrong with the environment, as the rest of a sentence; "" when it works."""
    python = python_of(folder)
    if not python.exists():
        if python.is_symlink():
            return f"its Python {os.path.realpath(python)} is gone (removed, or replaced by an upgrade)"
        return f"it has no {python.relative_to(folder)}"
    try:
        probe = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"its Python does not start ({error})"
    if probe.returncode:
        last = (probe.stderr.strip().splitlines() or ["no output"])[-1]
        return "it has no pip" + _made_by(folder) if "No module named" in last else f"its Python does not start ({last})"
    version = tuple(map(int, probe.stdout.split()))
    if version < TESTED_PYTHONS[0]:
        return f"it was made by Python {version[0]}.{version[1]}, and 3.10 is the oldest that works"
    return ""


def _made_by(folder: Path) -> str:
    """A hint at the usual reason for a missing pip: the interpreter was upgraded in place."""
    for line in (folder / "pyvenv.cfg").read_text("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("version", "version_info"):
            return f" (was it made by Python {value.strip()}, which an upgrade replaced?)"
    return ""


def create(options: LaunchOptions, folder: Path) -> None:
    """Make the environment with pip in it; on failure nothing is left behind. Raises LaunchError."""
    python = base_python()
    print(f"Making the virtual environment {folder} with Python {sys.version.split()[0]} ({python})", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / UNFINISHED).touch()
    without_pip = ["--without-pip"] if options.pip_installer else []
    made = subprocess.run([python, "-m", "venv", *without_pip, folder], capture_output=True, text=True)
    if made.returncode == 0 and options.pip_installer:
        made = subprocess.run([python_of(folder), options.pip_installer], capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise LaunchError(_why_not_made(folder, made.stdout + made.stderr))
    (folder / UNFINISHED).unlink()


def _why_not_made(folder: Path, output: str) -> str:
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if "ensurepip" in output or "No module named venv" in output:
        return f"this Python cannot make virtual environments: install {package} ('sudo apt install {package}') and start again."
    if "No space left" in output or "Errno 28" in output:
        return f"the disk is full: the virtual environment {folder} could not be made; free about 8 GB and start again."
    if "Permission denied" in output or "Errno 13" in output:
        return f"no permission to write {folder}: run as its owner, or name another folder by venv_dir in webui-user.sh."
    last = (output.strip().splitlines() or ["it said nothing"])[-1]
    return f"the virtual environment {folder} could not be made ({last}); check that '{base_python()} -m venv' works."


def _refuse_foreign(folder: Path) -> None:
    """Never touch a folder that holds something else than a virtual environment."""
    if folder.is_dir() and not is_venv(folder) and not (folder / UNFINISHED).exists() and any(folder.iterdir()):
        raise LaunchError(f"{folder} is no virtual environment and not empty: name another folder by venv_dir, or move this one away.")
    if folder.exists() and not folder.is_dir():
        raise LaunchError(f"{folder} is a file, but the virtual environment should go there: move it away.")


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder = folder.resolve()
    if folder.exists():
        shutil.rmtree(folder)
