"""Reading infotexts (platform.md §4.13). The same module answers to its old name, `generation_parameters_copypaste`."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from modules.extend import host
from modules.imaging.infotext import quote as quote
from modules.imaging.infotext import unquote as unquote
from modules.imaging.infotext_rules import parse_generation_parameters as _parse
from modules.settings.infotext import overrides_from_infotext

sys.modules["modules.generation_parameters_copypaste"] = sys.modules[__name__]

infotext_to_setting_name_mapping: list[tuple[str, str]] = []
"""Extensions add (infotext key, setting)."""


class PasteField(tuple[Any, ...]):
    """A control and the infotext key, or function of the fields, that fills it."""

    def __new__(cls, component: Any, target: Any, *, api: str | None = None) -> PasteField:
        return super().__new__(cls, (component, target))

    def __init__(self, component: Any, target: Any, *, api: str | None = None) -> None:
        self.component, self.api = component, api
        self.label = target if isinstance(target, str) else None
        self.function = target if callable(target) else None


class ParamBinding(NamedTuple):
    """A button that sends a picture and its infotext to a tab."""

    paste_button: Any
    tabname: str
    source_text_component: Any = None
    source_image_component: Any = None
    source_tabname: str | None = None
    override_settings_component: Any = None
    paste_field_names: Any = None


registered_param_bindings: list[ParamBinding] = []


def register_paste_params_button(binding: ParamBinding) -> None:
    """Remember a button until the page is complete."""
    registered_param_bindings.append(binding)


def parse_generation_parameters(x: str, skip_fields: list[str] | None = None) -> dict[str, Any]:
    """The fields of an infotext, with defaults for what an older one could not say."""
    fields = _parse(x)
    for name in skip_fields or ():
        fields.pop(name, None)
    return fields


def get_override_settings(params: dict[str, Any], *, skip_fields: list[str] | None = None) -> list[tuple[str, str, Any]]:
    """(infotext key, setting, value) of the settings that differ from those in force."""
    options = host.current().engine.options
    known = {name: key for name, key in infotext_to_setting_name_mapping}
    wanted = overrides_from_infotext(params, options, skip=skip_fields or ())
    wanted |= {key: params[name] for name, key in known.items() if name in params}
    names = {option.infotext: key for key, option in options.schema.items() if option.infotext} | known
    by_setting = {key: name for name, key in names.items()}
    return [(by_setting.get(key, key), key, value) for key, value in wanted.items()]
