"""The extensions a user has: the bundled ones and those of the data folder."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modules.engine.paths import PROGRAM
from modules.extend.metadata import ExtensionMetadata

log = logging.getLogger(__name__)

BUILTIN_FOLDER = PROGRAM / "extensions-builtin"
SCRIPTS_FOLDER = PROGRAM / "scripts"


@dataclass
class Extension:
    """One extension folder."""

    name: str
    path: Path
    enabled: bool = True
    is_builtin: bool = False
    metadata: ExtensionMetadata = field(init=False)

    def __post_init__(self) -> None:
        self.metadata = ExtensionMetadata(self.path, self.canonical_name)

    @property
    def canonical_name(self) -> str:
        """The name in wishes about order."""
        return f"builtin/{self.name.lower()}" if self.is_builtin else self.name.lower()

    def files(self, folder: str, suffix: str) -> list[Path]:
        """The files of one of its folders with a suffix, by name."""
        directory = self.path / folder
        if not directory.is_dir():
            return []
        return sorted(file for file in directory.iterdir() if file.suffix == suffix and file.is_file())


def list_extensions(data: Path, options: Any, flags: Any) -> list[Extension]:
    """All extensions, bundled ones first, each group by name; settings and flags decide which are enabled."""
    off = set(options.disabled_extensions)
    extra_off = _switched_off(options, flags, "extra")
    all_off = _switched_off(options, flags, "all")
    found: dict[str, Extension] = {}
    for folder, is_builtin in ((BUILTIN_FOLDER, True), (data / "extensions", False)):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not path.is_dir() or path.name.startswith("."):
                continue
            enabled = path.name not in off and not all_off and (is_builtin or not extra_off)
            found.setdefault(path.name.lower(), Extension(path.name, path, enabled, is_builtin))
    _report_missing(list(found.values()))
    return list(found.values())


def _switched_off(options: Any, flags: Any, which: str) -> bool:
    flag = getattr(flags, f"disable_{which}_extensions", False)
    chosen = options.disable_all_extensions
    return bool(flag) or chosen == which or (which == "extra" and (chosen == "all" or getattr(flags, "disable_all_extensions", False)))


def _report_missing(extensions: list[Extension]) -> None:
    """Log requirements that nobody fulfils; `a|b` is fulfilled by either."""
    there = {extension.canonical_name for extension in extensions if extension.enabled}
    for extension in extensions if there else ():
        for wanted in extension.metadata.requires if extension.enabled else ():
            if not there & set(wanted.split("|")):
                log.error("extension '%s' requires '%s', which is not installed or disabled", extension.name, wanted)
