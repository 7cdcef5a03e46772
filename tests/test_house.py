"""The order of the house: linter, types, and who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "modules"
ENTRIES = ("launcher", "commands")  # they stand beside the face, not inside


def run(*words: str) -> None:
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff() -> None:
    pytest.importorskip("ruff")
    run("-m", "ruff", "check", "--output-format=concise", ".")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="older numpy and torch are typed differently")
def test_types() -> None:
    pytest.importorskip("mypy")
    run("-m", "mypy")


def test_imports_go_one_way() -> None:
    pytest.importorskip("importlinter")
    run("-c", "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])")


def rooms() -> list[Path]:
    return [folder for folder in sorted(MODULES.iterdir()) if (folder / "__init__.py").is_file()]


def imported(file: Path) -> Iterator[str]:
    """The full names that a file imports, wherever in it; `from modules import x` counts as `modules.x`."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nothing_inside_imports_the_face() -> None:
    face = {f"modules.{file.stem}" for file in MODULES.glob("*.py") if file.stem != "__init__"}
    guilty = [
        f"{file.relative_to(ROOT)} imports {name}"
        for room in rooms()
        if room.name not in ENTRIES
        for file in room.rglob("*.py")
        for name in imported(file)
        if name in face
    ]
    assert not guilty, "\n".join(guilty)


def test_every_room_has_its_place_in_the_import_contract() -> None:
    contract = (ROOT / "pyproject.toml").read_text("utf-8").split("[tool.importlinter]")[1]
    assert [room.name for room in rooms() if f"({room.name})" not in contract] == []


def test_only_the_page_knows_gradio() -> None:
    guilty = [
        f"{file.relative_to(ROOT)} imports {name}"
        for room in rooms()
        if room.name not in ("ui", "extend", *ENTRIES)
        for file in room.rglob("*.py")
        for name in imported(file)
        if name.split(".")[0] == "gradio"
    ]
    assert not guilty, "\n".join(guilty)


def test_package_markers_stay_nearly_empty() -> None:
    """An `__init__.py` that imports makes every import of the room slow; `events` needs only the standard library and is used whole."""
    markers = [MODULES / "__init__.py", *(room / "__init__.py" for room in rooms() if room.name != "events")]
    assert [str(file.relative_to(ROOT)) for file in markers if list(imported(file))] == []
