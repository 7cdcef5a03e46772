"""Where things are (platform.md §1.1)."""

from __future__ import annotations

from typing import Any

from modules.extend import host
from modules.paths_internal import cwd as cwd
from modules.paths_internal import extensions_builtin_dir as extensions_builtin_dir
from modules.paths_internal import script_path as script_path
from modules.paths_internal import sd_configs_path as sd_configs_path

paths: dict[str, str] = {}
"""Roots of third-party sources, which this program has none of."""


def _data() -> Any:
    return host.current().engine.paths


def __getattr__(name: str) -> Any:
    """Folders of the running program; without one those the flags name."""
    from modules import paths_internal

    if host.is_running():
        own = {
            "data_path": lambda: _data().data,
            "models_path": lambda: _data().models,
            "extensions_dir": lambda: _data().data / "extensions",
        }
        if name in own:
            return str(own[name]())
    if name in ("data_path", "models_path", "extensions_dir"):
        return getattr(paths_internal, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
