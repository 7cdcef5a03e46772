"""Replacing functions of other modules so that the originals can be found and put back."""

from __future__ import annotations

from typing import Any

_originals: dict[tuple[str, int, str], Any] = {}


def patch(key: str, obj: Any, field: str, replacement: Any) -> Any:
    """Replace `obj.field` and return what was there; raises RuntimeError where `key` has replaced it already."""
    place = (key, id(obj), field)
    if place in _originals:
        raise RuntimeError(f"patch for {field} is already applied by {key}")
    _originals[place] = getattr(obj, field)
    setattr(obj, field, replacement)
    return _originals[place]


def undo(key: str, obj: Any, field: str) -> None:
    """Put the original back; raises RuntimeError where `key` has not replaced it."""
    place = (key, id(obj), field)
    if place not in _originals:
        raise RuntimeError(f"there is no patch for {field} by {key} to undo")
    setattr(obj, field, _originals.pop(place))


def original(key: str, obj: Any, field: str) -> Any:
    """What was there before `key` replaced it; None where it has not."""
    return _originals.get((key, id(obj), field))
