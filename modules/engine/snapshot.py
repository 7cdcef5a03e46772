"""The settings a job began with, so that it ends with the same ones whatever was changed in between."""

from __future__ import annotations

import json
from typing import Any

from modules.settings.store import Options


def differing(options: Options) -> dict[str, Any]:
    """The settings that differ from their defaults, as JSON would give them back."""
    values = {}
    for key, value in options.data.items():
        option = options.schema.get(key)
        if option is None or value != option.default:
            values[key] = value
    return json.loads(json.dumps(values, default=str))


def options_as(options: Options, given: dict[str, Any] | None) -> Options:
    """`options` themselves where they still are as `given`, else a copy with the given values."""
    if given is None or differing(options) == given:
        return options
    then = Options()
    for option in options.schema.values():
        then.add(option)
    then.data.update(given)
    return then
