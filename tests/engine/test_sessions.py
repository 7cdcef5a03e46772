"""Whose jobs are whose: a program's mark is there for as long as it lives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from modules.engine.paths import PROGRAM
from modules.engine.sessions import Session

CHILD = """
import sys
from pathlib import Path
from modules.engine.sessions import Session
session = Session(Path(sys.argv[1])); session.open()
print(session.id, flush=True)
sys.stdin.read()
"""


def test_a_killed_program_is_dead_at_once(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], cwd=PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        other = child.stdout.readline().strip()
        mine = Session(tmp_path)
        mine.open()
        assert mine.is_alive(mine.id) and mine.is_alive(other)
        child.kill()
        child.wait()
        assert not mine.is_alive(other)
        assert not (tmp_path / f"{other}.lock").exists()
        mine.close()
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_program_is_dead(tmp_path: Path) -> None:
    assert not Session(tmp_path).is_alive("nobody")
