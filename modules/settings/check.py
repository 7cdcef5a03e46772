"""Is this value allowed for this setting?"""

from __future__ import annotations

import math
from typing import Any

from .errors import BadValue
from .option import Option


def checked(option: Option, value: Any) -> Any:
    """The value as it is stored: whole floats become ints for whole-number settings, everything else stays as given.

    Limits of sliders are not enforced, as in A1111. Raises BadValue, which says what is allowed.
    """
    default = option.default
    if isinstance(default, bool):
        return _checked_bool(option, value)
    if isinstance(default, int | float):
        return _checked_number(option, value)
    if isinstance(default, list):
        return _checked_list(option, value)
    return _checked_text(option, value)


def _checked_bool(option: Option, value: Any) -> bool:
    if isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)):
        return bool(value)
    raise BadValue(option.key, "true or false", value)


def _checked_number(option: Option, value: Any) -> int | float:
    """The number as given, since the infotext prints 10 and 10.0 differently."""
    whole = option.control.whole and isinstance(option.default, int)
    allowed = f"a {'whole ' if whole else ''}number{_limits(option)}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadValue(option.key, allowed, value)
    if isinstance(option.default, int) and float(value).is_integer():
        return int(value)
    if whole:
        raise BadValue(option.key, allowed, value)
    return value


def _limits(option: Option) -> str:
    control = option.control
    return "" if control.minimum is None else f" (from {control.minimum} to {control.maximum})"


def _checked_list(option: Option, value: Any) -> list[str]:
    choices = option.control.choices
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise BadValue(option.key, "a list of texts", value)
    if choices and not set(value) <= set(choices):
        raise BadValue(option.key, f"a list with some of {', '.join(choices)}", value)
    return list(value)


def _checked_text(option: Option, value: Any) -> str | None:
    choices = option.control.choices
    if value is None and option.default is None:
        return None
    if not isinstance(value, str):
        raise BadValue(option.key, "a text" + (" or null" if option.default is None else ""), value)
    if choices and value not in choices:
        raise BadValue(option.key, f"one of {', '.join(choices)}", value)
    return value
