"""Base of the scripts of the Extras page (platform.md §4.5 of the reference)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ScriptPostprocessing:
    """A step on a finished picture; `order` says where in the chain, low ones first."""

    name: str | None = None
    order = 1000
    filename: str | None = None
    controls: Mapping[str, Any] | None = None
    args_from: int | None = None
    args_to: int | None = None
    group: Any = None

    def ui(self) -> Mapping[str, Any]:
        """Create the controls; their names are the keyword arguments of `process`."""
        return {}

    def process(self, pp: Any, **args: Any) -> None:
        """Change the picture in place: `pp.image`, with remarks in `pp.info`."""

    def process_firstpass(self, pp: Any, **args: Any) -> None:
        """Called for all scripts before any `process`, to work out sizes."""

    def image_changed(self) -> None:
        """Called when the page's picture is another one."""
