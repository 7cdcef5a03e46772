"""The second pass: hires fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from modules.diffusion.latent_upscale import LATENT_MODES
from modules.ui.parts.input_accordion import input_accordion
from modules.ui.parts.sampling import sampler_labels, schedule_labels
from modules.ui.parts.tools import slider

if TYPE_CHECKING:
    from modules.engine.engine import Engine

SAME_CHECKPOINT, SAME_SAMPLER, SAME_SCHEDULER = "Use same checkpoint", "Use same sampler", "Use same scheduler"


def hires_upscalers(engine: Engine) -> list[str]:
    """What enlarges between the passes: the ways of enlarging latents, then the upscalers of pictures."""
    return [*LATENT_MODES, *engine.enhancers.upscalers.names()]


@dataclass
class HiresControls:
    enable: gr.Checkbox
    upscaler: gr.Dropdown
    steps: gr.Slider
    denoising_strength: gr.Slider
    scale: gr.Slider
    resize_x: gr.Slider
    resize_y: gr.Slider
    checkpoint: gr.Dropdown
    sampler: gr.Dropdown
    scheduler: gr.Dropdown
    prompt: gr.Textbox
    negative_prompt: gr.Textbox


def hires_controls(engine: Engine, upscalers: list[str]) -> HiresControls:
    """Build the panel; the rows for another checkpoint, sampler and prompt show where the settings say so."""
    options = engine.options
    with input_accordion("Hires. fix", "txt2img_hr") as enable:
        with gr.Row(elem_id="txt2img_hires_fix_row1"):
            upscaler = gr.Dropdown(upscalers, value=upscalers[0], label="Upscaler", elem_id="txt2img_hr_upscaler", min_width=140)
            steps = slider(0, 150, 0, step=1, label="Hires steps", elem_id="txt2img_hires_steps")
            strength = slider(0, 1, 0.7, step=0.01, label="Denoising strength", elem_id="txt2img_denoising_strength")
        with gr.Row(elem_id="txt2img_hires_fix_row2"):
            scale = slider(1, 4, 2, step=0.05, label="Upscale by", elem_id="txt2img_hr_scale")
            resize_x = slider(0, 2048, 0, step=8, label="Resize width to", elem_id="txt2img_hr_resize_x")
            resize_y = slider(0, 2048, 0, step=8, label="Resize height to", elem_id="txt2img_hr_resize_y")
        with gr.Row(elem_id="txt2img_hires_fix_row3", visible=bool(options.hires_fix_show_sampler)):
            checkpoint = gr.Dropdown(
                [SAME_CHECKPOINT, *(info.short_title for info in engine.checkpoints.list())],
                value=SAME_CHECKPOINT,
                label="Checkpoint",
                elem_id="hr_checkpoint",
            )
            samplers = [SAME_SAMPLER, *sampler_labels(list(options.hide_samplers or []))]
            sampler = gr.Dropdown(samplers, value=SAME_SAMPLER, label="Hires sampling method", elem_id="hr_sampler")
            schedules = [SAME_SCHEDULER, *schedule_labels()]
            scheduler = gr.Dropdown(schedules, value=SAME_SCHEDULER, label="Hires schedule type", elem_id="hr_scheduler")
        with gr.Row(elem_id="txt2img_hires_fix_row4", visible=bool(options.hires_fix_show_prompts)):
            prompt = gr.Textbox(label="Hires prompt", elem_id="hires_prompt", lines=3, placeholder="Empty: the same as in the first pass")
            negative = gr.Textbox(
                label="Hires negative prompt", elem_id="hires_neg_prompt", lines=3, placeholder="Empty: the same as in the first pass"
            )
    return HiresControls(enable, upscaler, steps, strength, scale, resize_x, resize_y, checkpoint, sampler, scheduler, prompt, negative)
