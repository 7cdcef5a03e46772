"""Which script files there are, in the order in which they are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from modules.engine.paths import PROGRAM
from modules.extend.extensions import SCRIPTS_FOLDER, Extension
from modules.extend.order import topological_order

OWN_SCRIPTS = Path(__file__).parent / "builtin"
"""Parts of the page written as scripts; loaded last."""


class ScriptFile(NamedTuple):
    """A file of an extension: the extension's folder, the file's name, its path."""

    basedir: str
    filename: str
    path: str


def list_scripts(extensions: Sequence[Extension], folder: str, suffix: str, *, root: Path = PROGRAM) -> list[ScriptFile]:
    """Files with a suffix of the program's `folder` and of the enabled extensions', in their order of loading."""
    files: dict[str, ScriptFile] = {}
    after: dict[str, list[str]] = {}
    of_extension: dict[str, list[str]] = {}
    own = root / folder
    for file in sorted(own.iterdir()) if own.is_dir() else ():
        if file.suffix == suffix:
            files[file.name] = ScriptFile(str(root), file.name, str(file))
    enabled = [extension for extension in extensions if extension.enabled]
    for extension in enabled:
        for file in extension.files(folder, suffix):
            name = f"{extension.canonical_name}/{file.name}"
            files[name] = ScriptFile(str(extension.path), file.name, str(file))
            of_extension.setdefault(extension.canonical_name, []).append(name)
    for extension in enabled:
        for name in of_extension.get(extension.canonical_name, ()):
            wishes = extension.metadata.wishes(folder, files[name].filename)
            after.setdefault(name, []).extend(_expanded([*wishes.after, *wishes.requires], of_extension))
            for later in _expanded(wishes.before, of_extension):
                after.setdefault(later, []).append(name)
    return [files[name] for name in topological_order(files, after)]


def _expanded(names: Iterable[str], of_extension: dict[str, list[str]]) -> list[str]:
    """Names of files; the name of an extension stands for all of its files."""
    return [file for name in names for file in of_extension.get(name, [name])]


def all_script_files(extensions: Sequence[Extension]) -> list[ScriptFile]:
    """Every Python script: the program's, the extensions', the page's own."""
    own = [ScriptFile(str(PROGRAM), file.name, str(file)) for file in sorted(OWN_SCRIPTS.glob("*.py")) if file.name != "__init__.py"]
    return [*list_scripts(extensions, SCRIPTS_FOLDER.name, ".py"), *own]
