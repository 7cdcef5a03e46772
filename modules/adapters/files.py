"""Network files below some folders, in A1111's order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path


def network_files(folders: Iterable[Path], suffixes: frozenset[str], *, hidden: bool = True) -> Iterator[Path]:
    """Files with these lower-case suffixes below the folders, links followed, numbers in names sorted as numbers.

    `hidden` False leaves out what lies in folders whose name begins with a dot. Empty files are no networks.
    """
    for folder in folders:
        levels = sorted(os.walk(folder, followlinks=True), key=lambda level: natural_key(level[0]))
        for root, _, names in levels:
            if not hidden and "/." in Path(root).as_posix():
                continue
            for name in sorted(names, key=natural_key):
                path = Path(root, name)
                if path.suffix.lower() in suffixes and _size(path):
                    yield path


def hypernetwork_files(folders: Iterable[Path]) -> dict[str, Path]:
    """Hypernetwork files by name (their stem), in the order of their paths."""
    return {path.stem: path for path in network_files(folders, frozenset((".pt",))) if path.stem != "None"}


def natural_key(text: str) -> list[int | str]:
    """A sort key by which `a2` comes before `a10`."""
    return [int(part) if part.isdecimal() else part.lower() for part in re.split("([0-9]+)", text)]


def modified(path: Path) -> tuple[int, int]:
    """Size and time of the last change, by which a replaced file is noticed; zeros for one that is gone."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_size, status.st_mtime_ns


def _size(path: Path) -> int:
    return modified(path)[0]
