"""Filling a form from an infotext."""

from __future__ import annotations

from collections.abc import Callable
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
HIRES_KEYS = ("Hires upscale", "Hires upscaler", "Hires resize-1")
SWITCHES: dict[str, Callable[[dict[str, Any]], bool]] = {
    # sizes of a second pass are always found, as 0 where there was none
    "enable_hr": lambda found: "Denoising strength" in found and any(key in found for key in HIRES_KEYS),
    "enable_refiner": lambda found: "Refiner" in found,
    "seed_enable_extras": lambda found: "Variation seed" in found or "Seed resize from-1" in found,
}
"""Whether an infotext's fields switch a part of the form on."""


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
    return values + [SWITCHES[name](found) for name in form.switches]


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
