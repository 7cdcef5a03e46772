"""What the command line and the environment ask of the launcher."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from modules.flags import arguments

ROOT = Path(__file__).resolve().parent.parent.parent
TESTED_PYTHONS = ((3, 10), (3, 13))


class LaunchOptions(NamedTuple):
    """One start: where the program and its virtual environment lie, what to install from where, what to run."""

    root: Path
    argv: tuple[str, ...] = ()
    venv: Path | None = None
    requirements: Path = Path("requirements.txt")
    script: Path = Path("webui.py")
    index_url: str = ""
    torch_index_url: str = ""
    torch_command: str = ""
    pip_installer: str = ""
    words: frozenset[str] = frozenset()

    @property
    def testing(self) -> bool:
        """Whether this is `webui.sh test`."""
        return self.argv[:1] == ("test",)

    @property
    def asks_for_help(self) -> bool:
        return not self.testing and bool(self.words & {"-h", "--help"})

    def asks(self, flag: str) -> bool:
        """Whether `flag` (as "--exit") was given, on the command line or in COMMANDLINE_ARGS."""
        return flag in self.words


def read_options(argv: Sequence[str], environ: Mapping[str, str], root: Path = ROOT) -> LaunchOptions:
    """The options that A1111's launcher knows: flags, and environment variables (an empty one counts as not set)."""
    words = arguments(argv, environ)
    script = environ.get("LAUNCH_SCRIPT") or "webui.py"
    return LaunchOptions(
        root=root,
        argv=tuple(argv),
        venv=_venv_folder(environ, root),
        requirements=root / (environ.get("REQS_FILE") or "requirements.txt"),
        script=root / ("webui.py" if script == "launch.py" else script),
        index_url=environ.get("INDEX_URL", ""),
        torch_index_url=environ.get("TORCH_INDEX_URL", ""),
        torch_command=environ.get("TORCH_COMMAND", ""),
        pip_installer=environ.get("PIP_INSTALLER_LOCATION", ""),
        words=frozenset(words),
    )


def _venv_folder(environ: Mapping[str, str], root: Path) -> Path | None:
    """The virtual environment's folder, relative to the program; None = use the running Python itself."""
    name = environ.get("venv_dir") or environ.get("VENV_DIR") or "venv"
    if name == "-" or environ.get("SKIP_VENV") == "1":
        return None
    return root / Path(name).expanduser()


def base_python() -> Path:
    """The interpreter that makes virtual environments: the running one, or the one its own environment was made by."""
    inside = sys.prefix != sys.base_prefix
    return Path(getattr(sys, "_base_executable", "") or sys.executable if inside else sys.executable)


def current_version() -> tuple[int, int]:
    """The running Python's version, as (3, 11)."""
    return sys.version_info[:2]


def is_windows() -> bool:
    return os.name == "nt"
