"""Finding, ordering and importing script files."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modules.extend import loading
from modules.extend.extensions import Extension, list_extensions
from modules.extend.files import list_scripts
from modules.extend.order import topological_order


def extension(folder: Path, name: str, files: dict[str, str], metadata: str = "") -> Extension:
    path = folder / name
    for file, text in files.items():
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_text(text)
    (path / "metadata.ini").write_text(metadata)
    return Extension(name, path)


def names(found: list[Any]) -> list[str]:
    return [Path(file.path).name for file in found]


def test_files_are_loaded_by_name_unless_metadata_says_otherwise(tmp_path: Path) -> None:
    a = extension(tmp_path, "a", {"scripts/one.py": "", "scripts/two.py": ""}, "[scripts]\nAfter = c\n")
    b = extension(tmp_path, "b", {"scripts/three.py": ""}, "[scripts/three.py]\nBefore = a/two.py\n")
    c = extension(tmp_path, "c", {"scripts/four.py": "", "scripts/note.txt": ""})
    assert names(list_scripts([a, b, c], "scripts", ".py", root=tmp_path)) == ["four.py", "one.py", "three.py", "two.py"]


def test_disabled_extensions_have_no_files(tmp_path: Path) -> None:
    a = extension(tmp_path, "a", {"scripts/one.py": ""})
    a.enabled = False
    assert list_scripts([a], "scripts", ".py", root=tmp_path) == []


def test_a_cycle_is_cut() -> None:
    assert sorted(topological_order(["a", "b"], {"a": ["b"], "b": ["a"]})) == ["a", "b"]


@pytest.mark.parametrize(
    ("setting", "flag", "enabled"), [("none", "", True), ("extra", "", False), ("all", "", False), ("none", "extra", False)]
)
def test_settings_and_flags_switch_extensions_off(tmp_path: Path, setting: str, flag: str, enabled: bool) -> None:
    extension(tmp_path / "extensions", "mine", {"scripts/one.py": ""})
    options = SimpleNamespace(disabled_extensions=[], disable_all_extensions=setting)
    flags = SimpleNamespace(disable_all_extensions=flag == "all", disable_extra_extensions=flag == "extra")
    found = {entry.name: entry.enabled for entry in list_extensions(tmp_path, options, flags)}
    assert found["mine"] is enabled
    assert found["hypertile"] is (setting != "all")


SCRIPT = """
from modules.extend.script import Script
from modules.extend.loading import basedir
from scripts.beside import word

home = basedir()

class Mine(Script):
    def title(self):
        return word
"""


def test_a_script_sees_its_own_folder_and_a_broken_one_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = extension(tmp_path, "own", {"scripts/mine.py": SCRIPT, "scripts/beside.py": "word = 'Own'", "scripts/broken.py": "1 / 0"})
    before = list(loading.scripts_data)
    with caplog.at_level(logging.ERROR):
        loading.load_scripts(list_scripts([own], "scripts", ".py", root=tmp_path))
    try:
        (found,) = loading.scripts_data
        assert found.script_class().title() == "Own"
        assert found.module.home == str(own.path) and found.basedir == str(own.path)
        assert found.module.__name__ == found.script_class.__module__ == "mine.py"
        assert "broken.py" in caplog.text
    finally:
        loading.scripts_data[:] = before
