"""The prompt styles of this server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modules.prompt.styles import StyleDatabase

if TYPE_CHECKING:
    from modules.engine.engine import Engine


def style_database(engine: Engine, flags: Any) -> StyleDatabase:
    """The styles as the files have them now (`--styles-file`, else `styles.csv` in the data folder)."""
    return StyleDatabase(getattr(flags, "styles_file", None) or [engine.paths.data / "styles.csv"])
