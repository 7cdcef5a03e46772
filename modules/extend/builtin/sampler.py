"""Sampler, schedule and steps."""

from __future__ import annotations

from typing import Any

from modules.diffusion.samplers.registry import SAMPLERS
from modules.diffusion.schedulers import SCHEDULERS
from modules.extend import host
from modules.extend.script import ScriptBuiltinUI


class ScriptSampler(ScriptBuiltinUI):
    """How the picture is sampled."""

    section = "sampler"

    def title(self) -> str:
        return "Sampler"

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        hidden = set(host.current().engine.options.hide_samplers)
        samplers = [sampler.label for sampler in SAMPLERS if sampler.label not in hidden]
        schedules = [schedule.label for schedule in SCHEDULERS]
        with gr.Row(elem_id=f"sampler_selection_{self.tabname}"):
            sampler = gr.Dropdown(samplers, value=samplers[0], label="Sampling method", elem_id=f"{self.tabname}_sampling")
            schedule = gr.Dropdown(schedules, value=schedules[0], label="Schedule type", elem_id=f"{self.tabname}_scheduler")
            steps = gr.Slider(1, 150, value=20, step=1, label="Sampling steps", elem_id=f"{self.tabname}_steps")
        self.infotext_fields = [(steps, "Steps"), (sampler, "Sampler"), (schedule, "Schedule type")]
        return [steps, sampler, schedule]

    def setup(self, p: Any, steps: int, sampler_name: str, scheduler: str) -> None:  # type: ignore[override]
        p.steps, p.sampler_name, p.scheduler = steps, sampler_name, scheduler
