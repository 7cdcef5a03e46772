"""What one setting is: its key, default, label and control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Kind = Literal[
    "checkbox", "textbox", "number", "slider", "radio", "dropdown", "multiselect", "combobox", "checkboxes", "color", "note", "hidden"
]


@dataclass(frozen=True)
class Control:
    """How the page shows a setting, and with it which values are allowed.

    `choices` are all allowed values; where they depend on what is installed, `source` names the list ("checkpoints", "samplers", …).
    `minimum`, `maximum` and `step` are a slider's; they bound the page, not the value, as A1111's users type values beyond them.
    """

    kind: Kind
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    source: str = ""
    whole: bool = False


@dataclass(frozen=True)
class Option:
    """One setting; key, label and default are A1111's where it has the same one.

    `infotext`: the name under which a picture's infotext carries it. `restrict_api`: not settable through the API.
    `directory`: about folders and file names, read-only under `--hide-ui-dir-config`. `reload_ui`: takes effect when the page is reloaded.
    `section` is (id, title, category); a section id of None keeps the setting off the page.
    """

    key: str
    default: Any
    label: str
    control: Control = field(default=Control("textbox"))
    infotext: str = ""
    reload_ui: bool = False
    restrict_api: bool = False
    directory: bool = False
    section: tuple[str | None, str, str] = (None, "", "")

    def __post_init__(self) -> None:
        if self.control.kind == "textbox":
            object.__setattr__(self, "control", Control(_kind_of(self.default)))

    @property
    def stored(self) -> bool:
        """False for the explanatory notes, which have a text and no value."""
        return self.control.kind != "note"


def _kind_of(default: Any) -> Kind:
    if isinstance(default, bool):
        return "checkbox"
    return "number" if isinstance(default, int | float) else "textbox"


def slider(minimum: float, maximum: float, step: float) -> Control:
    return Control("slider", minimum, maximum, step, whole=isinstance(step, int) and isinstance(minimum, int))


def radio(*choices: str, source: str = "") -> Control:
    return Control("radio", choices=choices, source=source)


def dropdown(*choices: str, source: str = "") -> Control:
    return Control("dropdown", choices=choices, source=source)


def multiselect(*choices: str, source: str = "") -> Control:
    return Control("multiselect", choices=choices, source=source)


def combobox(*choices: str, source: str = "") -> Control:
    return Control("combobox", choices=choices, source=source)


def checkboxes(*choices: str, source: str = "") -> Control:
    return Control("checkboxes", choices=choices, source=source)


def whole() -> Control:
    return Control("number", whole=True)


def color() -> Control:
    return Control("color")


def hidden() -> Control:
    return Control("hidden")


def note(key: str, text: str) -> Option:
    return Option(key, text, "", Control("note"))


def section(ident: str | None, title: str, category: str, *options: Option) -> Sequence[Option]:
    """The options with their section filled in; category is one of "saving", "sd", "ui", "system", "postprocessing", "training", ""."""
    return tuple(replace(option, section=(ident, title, category)) for option in options)
