"""The launcher's parts that need no process."""

from __future__ import annotations

import ast
import collections
import sys
from pathlib import Path

import pytest

from modules.launcher import start
from modules.launcher.errors import LaunchError
from modules.launcher.options import read_options
from modules.launcher.packages import Stamp
from modules.launcher.pip import reason

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("error: externally-managed-environment", "unset SKIP_VENV"),
        ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/usr'", "no permission"),
        ("ConnectTimeoutError(...)\nERROR: No matching distribution found for torch", "cannot be reached"),
        ("[Errno 101] Network is unreachable", "cannot be reached"),
        ("SSLError(SSLCertVerificationError(1, ...", "certificate"),
        ("ERROR: No matching distribution found for torch==2.15.0", "no wheel of torch==2.15.0"),
        ("/usr/bin/python: No module named pip", "has no pip"),
        ("Collecting x\nERROR: something new\nmore", "status 3 (ERROR: something new)"),
        ("", "it said nothing"),
    ],
)
def test_a_failed_pip_is_explained(output: str, expected: str) -> None:
    told = reason(output, 3)
    assert expected in told
    assert told.endswith(".") and "\n" not in told


def test_launch_py_can_be_read_by_any_python() -> None:
    source = (ROOT / "launch.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 4))
    assert source.isascii()


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Version = collections.namedtuple("Version", "major minor micro")
    monkeypatch.setattr(sys, "version_info", Version(3, 8, 18))
    with pytest.raises(SystemExit) as stopped:
        exec(compile((ROOT / "launch.py").read_text("utf-8"), "launch.py", "exec"), {"__name__": "__main__"})
    assert stopped.value.code == 1
    assert "Python 3.8" in capsys.readouterr().err


def test_a_newer_python_is_refused_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "current_version", lambda: (3, 14))
    with pytest.raises(LaunchError, match=r"3\.14 is too new"):
        start.check_python(read_options([], {}))
    start.check_python(read_options(["--skip-python-version-check"], {}))
    monkeypatch.setattr(start, "current_version", lambda: (3, 13))
    start.check_python(read_options([], {}))


def test_empty_environment_variables_count_as_not_set() -> None:
    plain = read_options([], {})
    names = ("venv_dir", "VENV_DIR", "SKIP_VENV", "REQS_FILE", "LAUNCH_SCRIPT", "INDEX_URL", "TORCH_COMMAND", "COMMANDLINE_ARGS")
    assert read_options([], dict.fromkeys(names, "")) == plain
    assert read_options([], {"LAUNCH_SCRIPT": "launch.py"}) == plain


def test_nobody_to_ask_means_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert not start.agree("broken")


def test_a_stamp_survives_nonsense(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path / "stamp.json", Path(sys.executable))
    for nonsense in ("", "[]", "{", "null"):
        stamp.path.write_text(nonsense)
        assert not stamp.holds("base", "x")
    stamp.write("base", "x")
    stamp.write("dev", "y")
    assert stamp.holds("base", "x") and stamp.holds("dev", "y") and not stamp.holds("base", "y")
    gone = Stamp(stamp.path, tmp_path / "no-python")
    assert not gone.knows_python() and not gone.holds("base", "x")


def test_a_full_disk_is_told_whoever_meets_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def full(options: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(start, "prepare", full)
    assert start.main(["--exit"], {}, tmp_path) == 1
    assert "the disk is full" in capsys.readouterr().err


def test_the_launcher_needs_the_standard_library_only() -> None:
    for file in (ROOT / "modules" / "launcher").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                ours = name.startswith("modules.launcher") or name == "modules.flags"
                assert ours or name.split(".")[0] in sys.stdlib_module_names, f"{file.name} imports {name}"
