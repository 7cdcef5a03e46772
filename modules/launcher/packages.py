"""Which packages must be there, and installing them once."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modules.launcher.errors import LaunchError
from modules.launcher.options import LaunchOptions, is_windows
from modules.launcher.pip import run_pip

NO_DEPENDENCIES = "requirements-nodeps.txt"
DEVELOPMENT = "requirements-dev.txt"
INSTALL = ("install", "--only-binary=:all:", "--no-warn-script-location")
WINDOWS_TORCH_INDEX = "https://download.pytorch.org/whl/cu132"  # the registry's Windows wheels are CPU-only


class Stamp:
    """A note beside the packages that says what was installed, so that the next start runs no installer."""

    def __init__(self, path: Path, python: Path) -> None:
        self.path = path
        self.python = python

    def holds(self, part: str, digest: str) -> bool:
        """Whether `part` ("base", "dev") was installed from these very requirements by this very interpreter."""
        noted = self._read()
        return noted.get("python") == identity(self.python) and noted.get(part) == digest

    def knows_python(self) -> bool:
        """Whether the interpreter is the one of the last installation, untouched."""
        return self._read().get("python") == identity(self.python) != ""

    def write(self, part: str, digest: str) -> None:
        """Note that `part` is installed; what another interpreter installed is forgotten."""
        noted = self._read() if self.knows_python() else {}
        noted.update({"python": identity(self.python), part: digest})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(noted, indent=1), "utf-8")
        draft.replace(self.path)

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            noted = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}


def stamp_of(options: LaunchOptions, python: Path) -> Stamp:
    """The stamp of the virtual environment, or of the bare Python where none is used."""
    folder = options.venv if options.venv is not None else options.root / "tmp"
    return Stamp(folder / "easel-installed.json", python)


def identity(python: Path) -> str:
    """What changes when the interpreter is upgraded or replaced; "" when it is not there."""
    try:
        real = os.path.realpath(python)
        status = os.stat(real)
    except OSError:
        return ""
    return f"{real} {status.st_size} {status.st_mtime_ns}"


def digest_of(*files: Path) -> str:
    """A digest of these requirement files (missing ones count as empty)."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + (file.read_bytes() if file.is_file() else b"") + b"\0")
    return digest.hexdigest()


def base_files(options: LaunchOptions) -> tuple[Path, ...]:
    return options.requirements, options.root / "constraints.txt", options.root / NO_DEPENDENCIES


def dev_files(options: LaunchOptions) -> tuple[Path, ...]:
    return options.root / DEVELOPMENT, options.root / "constraints.txt"


def is_complete(options: LaunchOptions, python: Path) -> bool:
    """Whether nothing needs installing for this start; looks at files only."""
    stamp = stamp_of(options, python)
    done = stamp.holds("base", digest_of(*base_files(options))) and not options.asks("--reinstall-torch")
    return done and (not options.testing or stamp.holds("dev", digest_of(*dev_files(options))))


def install(options: LaunchOptions, python: Path) -> None:
    """Install what is missing and note it; raises LaunchError."""
    if not options.requirements.is_file():
        raise LaunchError(f"there is no {options.requirements}: correct REQS_FILE in webui-user.sh, or leave it out.")
    stamp = stamp_of(options, python)
    scratch = options.venv / "tmp" if options.venv else None
    base, dev = digest_of(*base_files(options)), digest_of(*dev_files(options))
    try:
        if options.asks("--reinstall-torch") or not stamp.holds("base", base):
            print("Installing the requirements: once, several GB, some minutes", flush=True)
            for words in base_steps(options, python):
                run_pip(python, words, scratch=scratch)
            stamp.write("base", base)
        if options.testing and not stamp.holds("dev", dev):
            print("Installing what the tests need", flush=True)
            run_pip(python, [*INSTALL, *_index(options), "-r", str(options.root / DEVELOPMENT)], scratch=scratch)
            stamp.write("dev", dev)
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def base_steps(options: LaunchOptions, python: Path) -> Iterator[list[str]]:
    """pip's arguments, one list for each run: torch from its own source if one is named, the rest, k-diffusion."""
    requirements = options.requirements
    again = options.asks("--reinstall-torch")
    if (again or not has_torch(python)) and (words := torch_words(options, again)):
        yield words
    if options.torch_command:
        requirements = without_torch(requirements, options)
    yield [*INSTALL, *_index(options), "-r", str(requirements)]
    extra = options.root / NO_DEPENDENCIES
    if extra.is_file():
        yield [*INSTALL, *_index(options), "--no-deps", "-r", str(extra)]


def torch_words(options: LaunchOptions, again: bool) -> list[str]:
    """pip's arguments that install torch apart from the rest; none where the plain requirements do."""
    if options.torch_command:
        words = shlex.split(options.torch_command, posix=not is_windows())
        return words[1:] if words[:1] == ["pip"] else words
    source = options.torch_index_url or default_torch_index()
    if not source and not again:
        return []
    pins = [line for line in options.requirements.read_text("utf-8").splitlines() if re.match(r"torch(vision)?\b", line)]
    force = ["--force-reinstall", "--no-deps"] if again else []
    extra = ["--extra-index-url", source] if source else []
    return [*INSTALL, *force, *_index(options), *extra, *pins]


def default_torch_index() -> str:
    """Where Windows finds torch with CUDA, if this machine has an NVIDIA card; elsewhere the registry's wheels have it."""
    return WINDOWS_TORCH_INDEX if is_windows() and shutil.which("nvidia-smi") else ""


def has_torch(python: Path) -> bool:
    """Whether torch and torchvision are installed, without importing them."""
    code = "import importlib.util as u, sys; sys.exit(not (u.find_spec('torch') and u.find_spec('torchvision')))"
    return subprocess.run([python, "-c", code], capture_output=True).returncode == 0


def without_torch(requirements: Path, options: LaunchOptions) -> Path:
    """A copy of the requirements that leaves torch alone, for whoever brings a torch of their own."""
    folder = (options.venv or options.root / "tmp") / "requirements"
    folder.mkdir(parents=True, exist_ok=True)
    for source in (requirements, requirements.parent / "constraints.txt"):
        if source.is_file():
            lines = source.read_text("utf-8").splitlines(keepends=True)
            (folder / source.name).write_text("".join(line for line in lines if not _is_torch(line)), "utf-8")
    return folder / requirements.name


def _is_torch(line: str) -> bool:
    return re.split(r"[=<>~!;\[ ]", line.strip(), maxsplit=1)[0] in ("torch", "torchvision")


def _index(options: LaunchOptions) -> list[str]:
    return ["--index-url", options.index_url] if options.index_url else []
