"""Settings as extensions define them, and their translation into the settings' own table (platform.md §4.6 of the reference)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from modules.settings.option import Control, Kind, Option

KINDS: dict[str, Kind] = {
    "Slider": "slider",
    "Checkbox": "checkbox",
    "Textbox": "textbox",
    "Number": "number",
    "Dropdown": "dropdown",
    "DropdownMulti": "multiselect",
    "DropdownEditable": "combobox",
    "Radio": "radio",
    "CheckboxGroup": "checkboxes",
    "ColorPicker": "color",
    "FormColorPicker": "color",
}
"""Class names of components to kinds of controls."""


class OptionInfo:
    """One setting of an extension; `component` is a Gradio class or a function that makes one."""

    def __init__(
        self,
        default: Any = None,
        label: str = "",
        component: Any = None,
        component_args: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        onchange: Callable[[], object] | None = None,
        section: tuple[str | None, str] | tuple[str | None, str, str] | None = None,
        refresh: Callable[[], object] | None = None,
        comment_before: str = "",
        comment_after: str = "",
        infotext: str | None = None,
        restrict_api: bool = False,
        category_id: str | None = None,
    ) -> None:
        self.default, self.label = default, label
        self.component, self.component_args = component, component_args
        self.onchange, self.section, self.category_id = onchange, section, category_id
        self.refresh = refresh
        self.do_not_save = False
        self.comment_before, self.comment_after = comment_before, comment_after
        self.infotext, self.restrict_api = infotext, restrict_api

    def link(self, label: str, url: str) -> OptionInfo:
        """Put a link before the control."""
        self.comment_before += f"[<a href='{url}' target='_blank'>{label}</a>]"
        return self

    def js(self, label: str, js_func: str) -> OptionInfo:
        """Put something to click before the control that calls a function of the page."""
        self.comment_before += f"[<a onclick='{js_func}(); return false'>{label}</a>]"
        return self

    def info(self, info: str) -> OptionInfo:
        """Put a short explanation behind the control."""
        self.comment_after += f"<span class='info'>({info})</span>"
        return self

    def html(self, html: str) -> OptionInfo:
        """Put markup behind the control."""
        self.comment_after += html
        return self

    def needs_restart(self) -> OptionInfo:
        """Say that the program must be restarted."""
        self.comment_after += " <span class='info'>(requires restart)</span>"
        return self

    def needs_reload_ui(self) -> OptionInfo:
        """Say that the page must be reloaded."""
        self.comment_after += " <span class='info'>(requires Reload UI)</span>"
        return self


class OptionHTML(OptionInfo):
    """A text between the settings; it has no value."""

    def __init__(self, text: str) -> None:
        super().__init__(str(text).strip(), label="", component=None)
        self.do_not_save = True


def options_section(section_identifier: tuple[Any, ...], options_dict: dict[str, OptionInfo]) -> dict[str, OptionInfo]:
    """The settings with their section filled in: (id, title) or (id, title, category)."""
    for info in options_dict.values():
        info.section = section_identifier[:2]
        if len(section_identifier) > 2:
            info.category_id = section_identifier[2]
    return options_dict


def to_option(key: str, info: OptionInfo) -> Option:
    """The setting as the program's table holds it; choices that a function lists are not enforced."""
    section = info.section or (None, "")
    category = info.category_id or (section[2] if len(section) > 2 else "") or ""  # type: ignore[misc]
    option = Option(
        key,
        info.default,
        info.label,
        _control(info),
        infotext=info.infotext or "",
        restrict_api=info.restrict_api,
        section=(section[0], section[1], category),
    )
    return replace(option, control=Control("note")) if isinstance(info, OptionHTML) else option


def _control(info: OptionInfo) -> Control:
    args = info.component_args
    known: Mapping[str, Any] = args if isinstance(args, Mapping) else {}
    kind = KINDS.get(getattr(info.component, "__name__", ""), "textbox")
    if isinstance(info.default, list) and kind == "dropdown":
        kind = "multiselect"
    return Control(kind, known.get("minimum"), known.get("maximum"), known.get("step"))
