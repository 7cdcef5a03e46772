"""From a picture's infotext to the settings it was made with (generation.md §8.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .store import Options


def overrides_from_infotext(fields: Mapping[str, Any], options: Options, *, skip: Iterable[str] = ()) -> dict[str, Any]:
    """Settings that the fields of an infotext ask for and that differ from the current ones, as `override_settings`.

    `skip` names fields that have a control of their own. The checkpoint is left alone while `disable_weights_auto_swap` is on.
    Values that cannot be read as the setting's type are left out.
    """
    skipped = {*skip, *(("Model hash",) if options.disable_weights_auto_swap else ())}
    overrides: dict[str, Any] = {}
    for key, option in options.schema.items():
        if not option.infotext or option.infotext in skipped or fields.get(option.infotext) is None:
            continue
        try:
            value = cast(option.default, fields[option.infotext])
        except (TypeError, ValueError):
            continue
        if value != getattr(options, key):
            overrides[key] = value
    return overrides


def cast(default: Any, value: Any) -> Any:
    """An infotext's value in the type of a setting's default; "False" is false, any other text is true."""
    if isinstance(default, bool):
        return value not in ("False", "false", "", False, 0)
    if isinstance(default, int):
        return int(value)
    if isinstance(default, float):
        return float(value)
    return value
