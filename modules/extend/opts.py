"""`shared.opts`: the program's settings with the methods extensions call (platform.md §4.6 of the reference)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.extend.option_info import OptionInfo, to_option
from modules.settings.errors import SettingError

if TYPE_CHECKING:
    from modules.settings.option import Option
    from modules.settings.store import Options


class ExtensionOptions:
    """Settings by attribute: the value in force, else the default; AttributeError for an unknown one."""

    typemap = {int: float}

    def __init__(self, options: Options) -> None:
        vars(self)["_options"] = options
        vars(self)["data_labels"] = DataLabels(options)

    def __getattr__(self, key: str) -> Any:
        return getattr(vars(self)["_options"], key)

    def __setattr__(self, key: str, value: Any) -> None:
        self._options.set(key, value, run_callbacks=False)

    @property
    def data(self) -> dict[str, Any]:
        """Values by key; writing here is unchecked."""
        data: dict[str, Any] = self._options.data
        return data

    def add_option(self, key: str, info: OptionInfo) -> None:
        """Define a setting."""
        self.data_labels[key] = info

    def set(self, key: str, value: Any, is_api: bool = False, run_callbacks: bool = True) -> bool:
        """Change a setting and say whether it changed; False too for one that may not be."""
        try:
            return bool(self._options.set(key, value, is_api=is_api, run_callbacks=run_callbacks))
        except SettingError:
            return False

    def get_default(self, key: str) -> Any:
        """The default of a setting, None for an unknown one."""
        info = self.data_labels.get(key)
        return None if info is None else info.default

    def onchange(self, key: str, func: Callable[[], object], call: bool = True) -> None:
        """Have `func` called after each change of a setting, and now."""
        self._options.onchange(key, func, call=call)

    def save(self, filename: str | None = None) -> None:
        """Write the settings file."""
        self._options.save(None if filename is None else Path(filename))

    def load(self, filename: str | None = None) -> None:
        """Take values from the settings file again."""
        self._options.reload()

    def dumpjson(self) -> str:
        """Every setting as a JSON text, with the comments around the controls."""
        infos = {key: self.data_labels[key] for key in self.data_labels}
        values = {key: self.data.get(key, info.default) for key, info in infos.items()}
        values["_comments_before"] = {key: info.comment_before for key, info in infos.items() if info.comment_before}
        values["_comments_after"] = {key: info.comment_after for key, info in infos.items() if info.comment_after}
        return json.dumps(values, default=str)

    def same_type(self, x: Any, y: Any) -> bool:
        """True where two values have one type; numbers are of one type, and None of every."""
        if x is None or y is None:
            return True
        return self.typemap.get(type(x), type(x)) is self.typemap.get(type(y), type(y))

    def cast_value(self, key: str, value: Any) -> Any:
        """A text as the type of a setting's default."""
        default = self.get_default(key)
        if value is None or default is None:
            return value
        if isinstance(default, bool):
            return str(value).lower() not in ("false", "no", "0", "")
        return type(default)(value)

    def reorder(self) -> None:
        """Nothing to do: the page sorts settings by itself."""


class DataLabels(MutableMapping[str, OptionInfo]):
    """`opts.data_labels`: the definitions of all settings; adding one defines it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._infos: dict[str, OptionInfo] = {}

    def __getitem__(self, key: str) -> OptionInfo:
        if key not in self._infos:
            self._infos[key] = _info_of(self._options.schema[key])
        return self._infos[key]

    def __setitem__(self, key: str, info: OptionInfo) -> None:
        self._infos[key] = info
        self._options.add(to_option(key, info))
        if info.onchange is not None:
            self._options.onchange(key, info.onchange)

    def __delitem__(self, key: str) -> None:
        self._infos.pop(key, None)
        del self._options.schema[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._options.schema))

    def __len__(self) -> int:
        return len(self._options.schema)


def _info_of(option: Option) -> OptionInfo:
    control = option.control
    args = {name: value for name in ("minimum", "maximum", "step") if (value := getattr(control, name)) is not None}
    if control.choices:
        args["choices"] = list(control.choices)
    identifier, title, category = option.section
    info = OptionInfo(option.default, option.label, None, args, section=(identifier, title), category_id=category)
    info.infotext, info.restrict_api, info.do_not_save = option.infotext or None, option.restrict_api, not option.stored
    return info
