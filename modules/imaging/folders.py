"""The pictures of a folder, in the order in which people count."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
DIGITS = re.compile(r"(\d+)")


def natural_key(text: str) -> list[tuple[bool, int, str]]:
    """A sorting key by which `a2` comes before `a10`."""
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part.lower()) for part in DIGITS.split(text)]


def walk_pictures(folder: Path, *, hidden: bool = True) -> Iterator[Path]:
    """All pictures below a folder, folder by folder; with `hidden` False none below a folder whose name begins with a dot."""
    found = sorted(os.walk(folder, followlinks=True), key=lambda entry: natural_key(entry[0]))
    for root, _, names in found:
        inner = Path(root).relative_to(folder).parts
        if not hidden and any(part.startswith(".") for part in inner):
            continue
        for name in sorted(names, key=natural_key):
            if os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES:
                yield Path(root, name)


def visible_files(folder: Path) -> list[Path]:
    """The files of a folder itself, without hidden ones."""
    entries = (entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
    return sorted(entries, key=lambda entry: natural_key(entry.name))
