"""The order of callbacks: the settings' priorities first, then what the extensions' metadata files wish."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modules.events import ScriptCallback
from modules.extend.extensions import Extension
from modules.extend.order import topological_order


class CallbackOrder:
    """Names callbacks and sorts them (platform.md §4.2 of the reference)."""

    def __init__(self, extensions: Sequence[Extension], options: Any) -> None:
        self.extensions, self.options = list(extensions), options
        self.wishes = {name: wish for e in self.extensions for name, wish in e.metadata.callback_wishes().items()}

    def name_of_file(self, file: str) -> str:
        """`<extension>/<file>`, lower case; `base` for the program's own files."""
        path = Path(file)
        home = next((e.name.lower() for e in self.extensions if path.is_relative_to(e.path)), "base")
        return f"{home}/{path.name.lower()}"

    def ordered(self, category: str, found: list[ScriptCallback]) -> list[ScriptCallback]:
        """The callbacks of a category in the order in which they fire."""
        by_name = {entry.name: entry for entry in found}
        if len(by_name) != len(found):  # two scripts of one file: nothing to sort by
            return found
        after: dict[str, list[str]] = {}
        for name in by_name:
            wish = self.wishes.get(name)
            after.setdefault(name, []).extend(wish.after if wish else ())
            for later in wish.before if wish else ():
                after.setdefault(later, []).append(name)
        names = topological_order(by_name, after)
        first = [name for name in self.options.data.get(f"prioritized_callbacks_{category}") or () if name in by_name]
        return [by_name[name] for name in dict.fromkeys([*first, *names])]
