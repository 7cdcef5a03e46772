"""The installed extensions (platform.md §4.14)."""

from __future__ import annotations

from typing import Any

from modules.extend import host
from modules.extend.extensions import Extension as Extension


def __getattr__(name: str) -> Any:
    if name == "extensions":
        return host.current().extensions
    if name in ("extensions_dir", "extensions_builtin_dir"):
        from modules import paths

        return getattr(paths, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def active() -> list[Extension]:
    """The extensions that are not disabled."""
    return [extension for extension in host.current().extensions if extension.enabled]


def find_extension(filename: str) -> Extension | None:
    """The extension a file belongs to."""
    from pathlib import Path

    path = Path(filename).resolve()
    return next((entry for entry in host.current().extensions if path.is_relative_to(entry.path.resolve())), None)


def list_extensions() -> None:
    """The list is read when scripts are loaded."""
