"""The controls of a script: building them where a page is, or out of sight to learn their defaults."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modules.extend.script import Script

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScriptArg:
    """One argument as the API tells about it."""

    label: str
    value: Any = None
    minimum: Any = None
    maximum: Any = None
    step: Any = None
    choices: list[str] | None = None


@dataclass(frozen=True)
class ScriptInfo:
    """One script as the API tells about it."""

    name: str
    is_alwayson: bool
    is_img2img: bool
    args: list[ScriptArg] = field(default_factory=list)


def build_controls(script: Script, inputs: list[Any]) -> None:
    """Call the script's `ui` and append its controls to the argument vector `inputs`; a failure is logged and leaves it without any."""
    script.args_from = script.args_to = len(inputs)
    try:
        controls = script.ui(script.is_img2img)
    except Exception:
        log.exception("the controls of the script %s could not be built", script.filename)
        return
    if controls is None:
        return
    script.controls = controls = list(controls)
    script.name = script.title().lower()
    for control in controls:
        control.custom_script_source = os.path.basename(script.filename or "")
    script.api_info = describe(script, controls)
    inputs.extend(controls)
    script.args_to = len(inputs)


def describe(script: Script, controls: Sequence[Any]) -> ScriptInfo:
    """What the API tells about a script with these controls."""
    return ScriptInfo(script.name or "", script.alwayson, script.is_img2img, [_argument(control) for control in controls])


def _argument(control: Any) -> ScriptArg:
    choices = getattr(control, "choices", None)
    return ScriptArg(
        label=getattr(control, "label", None) or "",
        value=default_of(control),
        minimum=getattr(control, "minimum", None),
        maximum=getattr(control, "maximum", None),
        step=_step(control),
        choices=None if choices is None else [str(_name(choice)) for choice in choices],
    )


def default_of(control: Any) -> Any:
    """The value a job gets when nobody sets the control."""
    value = getattr(control, "value", None)
    return None if callable(value) else value


def _name(choice: Any) -> Any:
    """A choice's text; Gradio keeps pairs of text and value."""
    return choice[0] if isinstance(choice, tuple | list) else choice


def _step(control: Any) -> Any:
    return getattr(control, "step", None)
