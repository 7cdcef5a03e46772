"""Filling a form from an infotext."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

if TYPE_CHECKING:
    from modules.engine.engine import Engine

NUMBERS = frozenset(
    {
        "Steps", "CFG scale", "Seed", "Size-1", "Size-2", "Denoising strength", "Hires upscale", "Hires steps", "Hires resize-1",
        "Hires resize-2", "Variation seed", "Variation seed strength", "Refiner switch at", "Batch size",
    }
)  # fmt: skip
SWITCHES = {
    "enable_hr": ("Hires upscale", "Hires upscaler", "Hires resize-1", "Hires steps"),
    "enable_refiner": ("Refiner",),
    "seed_enable_extras": ("Variation seed", "Seed resize from-1"),
}
"""Switches of the form, on where the infotext has any of these keys."""


@dataclass
class Form:
    """A tab's components by the infotext's keys, and its switches."""

    fields: dict[str, Any]
    switches: dict[str, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> list[Any]:
        return [*self.fields.values(), *self.switches.values()]


def paste_into(form: Form, infotext: str, engine: Engine) -> list[Any]:
    """New values for `form.outputs`; what the infotext does not mention stays as it is."""
    from modules.imaging.infotext_rules import parse_generation_parameters

    if not infotext or not infotext.strip():
        return [gr.skip() for _ in form.outputs]
    found = parse_generation_parameters(infotext)
    values = [_value(key, found) for key in form.fields]
    return values + [any(key in found for key in SWITCHES[name]) for name in form.switches]


def _value(key: str, found: dict[str, Any]) -> Any:
    if key not in found:
        return gr.skip()
    value = found[key]
    if key in NUMBERS:
        try:
            return float(value)
        except (TypeError, ValueError):
            return gr.skip()
    return value
