"""What can be wrong with a setting, each error naming the key and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class SettingError(ValueError):
    """A setting could not be changed; `key` is the setting's name."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class UnknownSetting(SettingError):
    """There is no such setting; the message names the closest one."""

    def __init__(self, key: str, known: Iterable[str]) -> None:
        close = difflib.get_close_matches(key, list(known), n=1)
        hint = f"; did you mean '{close[0]}'?" if close else "; GET /sdapi/v1/options lists all of them"
        super().__init__(key, f"there is no setting '{key}'{hint}")


class BadValue(SettingError):
    """The value is of the wrong type or not among the choices."""

    def __init__(self, key: str, allowed: str, value: object) -> None:
        shown = repr(value)
        shown = shown if len(shown) <= 60 else shown[:57] + "…"
        super().__init__(key, f"setting '{key}' must be {allowed}, not {shown}")


class FrozenSetting(SettingError):
    """The server was started with this setting frozen."""

    def __init__(self, key: str, flag: str) -> None:
        super().__init__(key, f"setting '{key}' is frozen by {flag}; restart without that flag to change it")


class SettingsFileError(OSError):
    """The settings file could not be read or written."""

    def __init__(self, path: Path, action: str, cause: OSError) -> None:
        super().__init__(f"could not {action} the settings file '{path}': {cause.strerror or cause}")
        self.path = path
