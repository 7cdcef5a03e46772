"""The settings in force, and the file they are kept in."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .check import checked
from .errors import FrozenSetting, SettingError, UnknownSetting
from .file import read_settings, write_settings
from .option import Option
from .schema import SCHEMA

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Freeze:
    """Which settings may not change: all, those of some sections (by title), or some keys (A1111's three freeze flags)."""

    everything: bool = False
    sections: frozenset[str] = field(default_factory=frozenset)
    keys: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def from_flags(cls, flags: object) -> Freeze:
        """From parsed flags with `freeze_settings`, `freeze_settings_in_sections` and `freeze_specific_settings` (comma lists)."""
        return cls(
            bool(getattr(flags, "freeze_settings", False)),
            _names(getattr(flags, "freeze_settings_in_sections", None)),
            _names(getattr(flags, "freeze_specific_settings", None)),
        )

    def check(self, option: Option) -> None:
        """Raise FrozenSetting when the option may not change."""
        if self.everything:
            raise FrozenSetting(option.key, "--freeze-settings")
        if option.section[1] in self.sections:
            raise FrozenSetting(option.key, f"--freeze-settings-in-sections (section '{option.section[1]}')")
        if option.key in self.keys:
            raise FrozenSetting(option.key, "--freeze-specific-settings")


def _names(text: str | None) -> frozenset[str]:
    return frozenset(name.strip() for name in (text or "").split(",") if name.strip())


class Options:
    """All settings, read as attributes: `opts.jpeg_quality`.

    `data` holds every value by key, also keys of the file that no setting defines (an extension's that is not loaded now); they are kept.
    `schema` maps key to Option and may grow through `add`. Reading an unknown attribute raises AttributeError.
    """

    def __init__(self, path: Path | None = None, *, freeze: Freeze | None = None, directory_locked: bool = False) -> None:
        state = vars(self)
        state["path"] = path
        state["freeze"] = freeze or Freeze()
        state["directory_locked"] = directory_locked
        state["schema"] = dict(SCHEMA)
        state["data"] = {key: copy.copy(option.default) for key, option in SCHEMA.items() if option.stored}
        state["_given"] = set()
        state["_callbacks"] = {}
        state["_lock"] = threading.RLock()

    def __getattr__(self, key: str) -> Any:
        data = vars(self).get("data", {})
        if key in data:
            return data[key]
        schema = vars(self).get("schema", {})
        if key in schema:
            return schema[key].default
        raise AttributeError(f"there is no setting '{key}'")

    def __setattr__(self, key: str, value: Any) -> None:
        if key in vars(self):
            vars(self)[key] = value
        else:
            self.set(key, value, run_callbacks=False)

    def add(self, option: Option) -> None:
        """Define one more setting; a value for it that the file already had stays."""
        self.schema[option.key] = option
        if option.stored:
            self.data.setdefault(option.key, copy.copy(option.default))

    def get_default(self, key: str) -> Any:
        """The default of a setting; raises UnknownSetting."""
        return self._option(key).default

    def check(self, key: str, value: Any) -> Any:
        """The value as it would be stored; raises UnknownSetting or BadValue, and changes nothing."""
        return checked(self._option(key), value)

    def set(self, key: str, value: Any, *, is_api: bool = False, run_callbacks: bool = True) -> bool:
        """Change one setting and say whether it changed.

        Notes, and through the API the settings that it may not touch, are left alone. When a callback fails, the old value comes back and
        the callback's error is raised. Raises UnknownSetting, BadValue, FrozenSetting.
        """
        option = self._option(key)
        if not option.stored or (is_api and option.restrict_api) or (option.directory and self.directory_locked):
            return False
        value = checked(option, value)
        with self._lock:
            before = self.data.get(key, option.default)
            self._given.add(key)
            if before == value and type(before) is type(value):
                return False
            self.freeze.check(option)
            self.data[key] = value
        try:
            for callback in self._callbacks.get(key, ()) if run_callbacks else ():
                callback()
        except Exception:
            self.data[key] = before
            raise
        return True

    def onchange(self, key: str, callback: Callable[[], object], *, call: bool = False) -> None:
        """Have `callback` called after each change of a setting, and now too if `call`."""
        self._callbacks.setdefault(key, []).append(callback)
        if call:
            callback()

    @classmethod
    def load(cls, path: Path, *, freeze: Freeze | None = None, directory_locked: bool = False) -> Options:
        """The options with the values of a settings file, which `save` writes again. Raises SettingsFileError."""
        options = cls(path, freeze=freeze, directory_locked=directory_locked)
        options.reload()
        return options

    def reload(self) -> None:
        """Take values from the settings file; a missing file is fine, an unparsable one is moved to `tmp/` beside it.

        Values of a wrong type are reported and stay at their default. Raises SettingsFileError.
        """
        if self.path is None:
            return
        for key, value in _migrated(read_settings(self.path)).items():
            self._take(key, value)

    def save(self, path: Path | None = None) -> None:
        """Write the file: settings that were given or differ from their default, and unknown keys. Raises SettingsFileError."""
        target = path or self.path
        if target is None:
            return
        with self._lock:
            values = {key: value for key, value in self.data.items() if self._worth_writing(key, value)}
            write_settings(target, values)

    def _worth_writing(self, key: str, value: Any) -> bool:
        return key in self._given or key not in self.schema or value != self.schema[key].default

    def _take(self, key: str, value: Any) -> None:
        option = self.schema.get(key)
        try:
            self.data[key] = value if option is None else checked(option, value)
            self._given.add(key)
        except SettingError as error:
            log.warning("%s; using the default %r", error, option.default if option else None)

    def _option(self, key: str) -> Option:
        try:
            return self.schema[key]
        except KeyError:
            raise UnknownSetting(key, self.schema) from None


class SettingsView:
    """The settings of one job: a copy of the options at its start, overlaid with the request's overrides.

    Raises UnknownSetting or BadValue for a bad override. Nobody else's change reaches a job that has begun.
    """

    def __init__(self, options: Options, overrides: Mapping[str, Any] | None = None, *, ignored: Iterable[str] = ()) -> None:
        skipped = set(ignored)
        self.overrides = {key: options.check(key, value) for key, value in (overrides or {}).items() if key not in skipped}
        self.data: dict[str, Any] = {**options.data, **self.overrides}

    def __getattr__(self, key: str) -> Any:
        data = vars(self).get("data", {})
        if key in data:
            return data[key]
        raise AttributeError(f"there is no setting '{key}'")


def _migrated(values: dict[str, Any]) -> dict[str, Any]:
    """Old keys of A1111 as the ones that replaced them."""
    for old, new in (("quicksettings", "quicksettings_list"), ("ui_reorder", "ui_reorder_list")):
        if isinstance(values.get(old), str) and new not in values:
            values[new] = [name.strip() for name in values[old].split(",") if name.strip()]
    if isinstance(values.get("sd_vae_as_default"), bool) and "sd_vae_overrides_per_model_preferences" not in values:
        values["sd_vae_overrides_per_model_preferences"] = not values["sd_vae_as_default"]
    return values
