"""The launcher's order of work: check, make the environment, install, hand over to the web UI."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

from modules.launcher.errors import LaunchError
from modules.launcher.options import ROOT, TESTED_PYTHONS, LaunchOptions, current_version, is_windows, read_options
from modules.launcher.packages import install, is_complete, stamp_of
from modules.launcher.venv import ensure_venv, is_venv, python_of

RESTART_FILE = os.path.join("tmp", "restart")


def main(argv: Sequence[str], environ: MutableMapping[str, str] = os.environ, root: Path = ROOT) -> int:
    """Start the web UI, a command of it, or the tests; returns the exit status (where the process is not replaced)."""
    try:
        options = read_options(argv, environ, root)
        (root / RESTART_FILE).unlink(missing_ok=True)
        python = prepare(options)
        if options.asks("--exit"):
            print("The environment is ready.")
            return 0
        return run(command(options, python, environ), options, environ)
    except LaunchError as error:
        return _say(str(error))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _say("the disk is full: free about 8 GB, then start again.")
    except KeyboardInterrupt:
        return 130


def _say(sentence: str) -> int:
    print(f"webui: {sentence}", file=sys.stderr)
    return 1


def prepare(options: LaunchOptions) -> Path:
    """The interpreter to run with, everything it needs installed. A complete environment is only looked at, not run."""
    python = python_of(options.venv) if options.venv else Path(sys.executable)
    if is_complete(options, python) and not options.asks("--rebuild-venv"):
        return python
    if options.asks_for_help:
        return Path(sys.executable)
    if options.asks("--skip-prepare-environment"):
        return python if options.venv is None or is_venv(options.venv) else Path(sys.executable)
    check_python(options)
    if options.venv and (options.asks("--rebuild-venv") or not stamp_of(options, python).knows_python()):
        python = ensure_venv(options, options.venv, agree)
    if not options.asks("--skip-install"):
        install(options, python)
    return python


def check_python(options: LaunchOptions) -> None:
    """Refuse a Python newer than the tested ones (launch.py refuses older ones); raises LaunchError."""
    version, newest = current_version(), TESTED_PYTHONS[1]
    if version > newest and not options.asks("--skip-python-version-check"):
        raise LaunchError(
            f"Python {version[0]}.{version[1]} is too new, {newest[0]}.{newest[1]} is the newest tested: "
            "name another by python_cmd in webui-user.sh, or try it with --skip-python-version-check."
        )


def agree(sentence: str) -> bool:
    """Ask whether to rebuild; where nobody can answer, the answer is no."""
    if not (sys.stdin and sys.stdin.isatty()):
        return False
    answer = input(f"webui: {sentence}. Make it anew? [Y/n] ")
    return answer.strip().lower() in ("", "y", "yes")


def command(options: LaunchOptions, python: Path, environ: Mapping[str, str]) -> list[str]:
    """The command that the launcher turns into."""
    if not options.testing:
        return [str(python), str(options.script), *options.argv]
    words = list(options.argv[1:])
    chosen = any(word.startswith(("-n", "--numprocesses", "--pdb")) for word in words)
    workers = [] if chosen else ["-n", str(max(1, min(os.cpu_count() or 1, 4))), "--dist", "loadfile"]
    return [str(python), "-m", "pytest", *workers, *words]


def run(words: list[str], options: LaunchOptions, environ: MutableMapping[str, str]) -> int:
    """Become the command, so that signals reach it; on Windows, where that is impossible, wait for it."""
    environ["SD_WEBUI_RESTART"] = RESTART_FILE
    environ.setdefault("ERROR_REPORTING", "FALSE")
    environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    environ.setdefault("PYTHONUNBUFFERED", "1")
    if options.testing:
        os.chdir(options.root)
    if not is_windows():
        sys.stdout.flush()
        os.execve(words[0], words, dict(environ))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.call(words, env=dict(environ))
