"""Callbacks by category: registered in order, fired one after another, none of them able to break its caller."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

CATEGORIES = (
    "app_started",
    "on_reload",
    "model_loaded",
    "ui_tabs",
    "ui_train_tabs",
    "ui_settings",
    "before_image_saved",
    "image_saved",
    "extra_noise",
    "cfg_denoiser",
    "cfg_denoised",
    "cfg_after_cfg",
    "before_component",
    "after_component",
    "image_grid",
    "infotext_pasted",
    "script_unloaded",
    "before_ui",
    "list_optimizers",
    "list_unets",
    "before_token_counter",
)
REVERSED = frozenset({"script_unloaded", "before_ui"})
"""Categories that fire in reverse order of registration."""
MAP_PREFIX = "callbacks_"


@dataclass
class ScriptCallback:
    """One registered callback: the file that registered it, the function, and its full name for ordering."""

    script: str
    callback: Callable[..., Any]
    name: str = "unnamed"


class Callbacks:
    """All registered callbacks of a program.

    `order` sorts the callbacks of a category before they fire, `name_of_file` names a file as metadata files and
    settings do (`base/xyz_grid.py`); the loader of extensions sets both.
    """

    def __init__(self) -> None:
        self.map: dict[str, list[ScriptCallback]] = {MAP_PREFIX + category: [] for category in CATEGORIES}
        self.order: Callable[[str, list[ScriptCallback]], list[ScriptCallback]] = lambda category, found: found
        self.name_of_file: Callable[[str], str] = lambda file: f"base/{Path(file).name.lower()}"
        self._ordered: dict[str, tuple[list[ScriptCallback], list[ScriptCallback]]] = {}
        """Per category what was registered when it was sorted, and the result: extensions change the lists of `map` themselves."""

    def add(self, category: str, callback: Callable[..., Any], name: str | None = None, script: str | None = None) -> None:
        """Register a callback; `script` is the file it belongs to, by default the caller's."""
        file = script or _file_of_caller()
        full = f"{self.name_of_file(file)}/{category}" + (f"/{name}" if name is not None else "")
        known = self.of(category)
        known.append(ScriptCallback(file, callback, _unique(full, {entry.name for entry in known})))

    def of(self, category: str) -> list[ScriptCallback]:
        """The callbacks of a category in order of registration; the list itself. Raises KeyError for an unknown category."""
        return self.map[MAP_PREFIX + category]

    def ordered(self, category: str) -> list[ScriptCallback]:
        """The callbacks of a category in the order in which they fire."""
        registered = self.of(category)
        if self._ordered.get(category, ([], []))[0] != registered:
            found = self.order(category, list(registered))
            self._ordered[category] = list(registered), found[::-1] if category in REVERSED else found
        return list(self._ordered.get(category, ([], []))[1])

    def fire(self, category: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Call every callback of a category; what they returned. One that raises is logged and left out."""
        results = []
        for entry in self.ordered(category):
            try:
                results.append(entry.callback(*args, **kwargs))
            except Exception:
                log.exception("callback %s of %s failed", entry.name, entry.script)
        return results

    def remove(self, unwanted: Callable[[ScriptCallback], bool]) -> None:
        """Forget the callbacks that a test picks."""
        for entries in self.map.values():
            entries[:] = [entry for entry in entries if not unwanted(entry)]

    def clear(self) -> None:
        """Forget all callbacks."""
        self.remove(lambda entry: True)

    def forget_order(self) -> None:
        """Sort again at the next occasion: what decides the order has changed."""
        self._ordered.clear()


callbacks = Callbacks()
"""The callbacks of this program."""


def add(category: str, callback: Callable[..., Any], name: str | None = None) -> None:
    """Register a callback with the program's callbacks."""
    callbacks.add(category, callback, name)


def fire(category: str, *args: Any, **kwargs: Any) -> list[Any]:
    """Call the program's callbacks of a category; exceptions are logged and contained."""
    return callbacks.fire(category, *args, **kwargs)


def has(category: str) -> bool:
    """True where something listens, so that building the arguments is worth it."""
    return bool(callbacks.of(category))


def _file_of_caller() -> str:
    """The first file up the stack that is not one of the registering modules."""
    ours = {__file__, *(getattr(sys.modules.get(name), "__file__", None) for name in ("modules.script_callbacks",))}
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename in ours:
        frame = frame.f_back
    return frame.f_code.co_filename


def _unique(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 1
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
