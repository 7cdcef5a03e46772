"""Sampler, schedule and steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from modules.ui.parts.tools import slider

if TYPE_CHECKING:
    from modules.engine.engine import Engine


@dataclass
class SamplingControls:
    sampler: gr.Dropdown
    scheduler: gr.Dropdown
    steps: gr.Slider


def sampling_controls(tab: str, engine: Engine) -> SamplingControls:
    """Build the row; samplers that the settings hide are left out."""
    samplers = sampler_labels(list(getattr(engine.options, "hide_samplers", None) or []))
    schedules = schedule_labels()
    with gr.Row(elem_id=f"sampler_selection_{tab}"):
        return SamplingControls(
            gr.Dropdown(samplers, value=samplers[0], label="Sampling method", elem_id=f"{tab}_sampling", min_width=120),
            gr.Dropdown(schedules, value=schedules[0], label="Schedule type", elem_id=f"{tab}_scheduler", min_width=120),
            slider(1, 150, 20, step=1, label="Sampling steps", elem_id=f"{tab}_steps"),
        )


def sampler_labels(hidden: list[str] | None = None) -> list[str]:
    """Names of the samplers in menu order, never none."""
    from modules.diffusion.samplers.registry import SAMPLERS

    labels = [sampler.label for sampler in SAMPLERS]
    return [label for label in labels if label not in (hidden or [])] or labels


def schedule_labels() -> list[str]:
    """Names of the schedules in menu order, Automatic first."""
    from modules.diffusion.schedulers import SCHEDULERS

    return [scheduler.label for scheduler in SCHEDULERS]
