"""The txt2img tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from modules.ui.defaults import opening_values
from modules.ui.generate import Stops, connect_generate, txt2img_handler
from modules.ui.parts.dimensions import Dimensions, dimensions
from modules.ui.parts.hires import hires_controls, hires_upscalers
from modules.ui.parts.output import output_panel
from modules.ui.parts.refiner import refiner_controls
from modules.ui.parts.sampling import sampling_controls
from modules.ui.parts.seed import connect_reuse, seed_controls
from modules.ui.parts.toprow import top_row
from modules.ui.paste import Form
from modules.ui.requests import FIELDS

if TYPE_CHECKING:
    from modules.engine.engine import Engine


@dataclass
class Txt2ImgTab:
    """What other parts of the page connect to."""

    prompt: gr.Textbox
    negative_prompt: gr.Textbox
    size: Dimensions
    form: Form


def txt2img_tab(engine: Engine) -> Txt2ImgTab:
    """Build the tab and wire it to the engine."""
    opening = opening_values(engine)
    with gr.Tab("txt2img", id="txt2img", elem_id="tab_txt2img"):
        top = top_row("txt2img", opening.prompt, engine)
        with gr.Row(elem_classes=["tab-body"]):
            with gr.Column(elem_id="txt2img_settings", scale=1, min_width=320):
                sampling = sampling_controls("txt2img", engine)
                hires = hires_controls(engine, hires_upscalers(engine))
                refiner = refiner_controls("txt2img", engine)
                size = dimensions("txt2img", opening.width, opening.height)
                seed = seed_controls("txt2img")
            output = output_panel("txt2img")
        by_field = {
            "prompt": top.prompt,
            "negative_prompt": top.negative_prompt,
            "n_iter": size.batch_count,
            "batch_size": size.batch_size,
            "cfg_scale": size.cfg_scale,
            "height": size.height,
            "width": size.width,
            "styles": top.styles,
            "enable_hr": hires.enable,
            "denoising_strength": hires.denoising_strength,
            "hr_scale": hires.scale,
            "hr_upscaler": hires.upscaler,
            "hr_second_pass_steps": hires.steps,
            "hr_resize_x": hires.resize_x,
            "hr_resize_y": hires.resize_y,
            "hr_checkpoint_name": hires.checkpoint,
            "hr_sampler_name": hires.sampler,
            "hr_scheduler": hires.scheduler,
            "hr_prompt": hires.prompt,
            "hr_negative_prompt": hires.negative_prompt,
            "enable_refiner": refiner.enable,
            "refiner_checkpoint": refiner.checkpoint,
            "refiner_switch_at": refiner.switch_at,
            "steps": sampling.steps,
            "sampler_name": sampling.sampler,
            "scheduler": sampling.scheduler,
            "seed": seed.seed,
            "seed_enable_extras": seed.show_extras,
            "subseed": seed.subseed,
            "subseed_strength": seed.subseed_strength,
            "seed_resize_from_w": seed.resize_from_w,
            "seed_resize_from_h": seed.resize_from_h,
        }
        inputs = [by_field[name] for name in FIELDS]
        stops = Stops(engine)
        connect_generate("txt2img", engine, stops, top, output, inputs, txt2img_handler(engine, stops))
        connect_reuse(seed, output.generation_info)
    fields = {
        "Prompt": top.prompt,
        "Negative prompt": top.negative_prompt,
        "Steps": sampling.steps,
        "Sampler": sampling.sampler,
        "Schedule type": sampling.scheduler,
        "CFG scale": size.cfg_scale,
        "Size-1": size.width,
        "Size-2": size.height,
        "Seed": seed.seed,
        "Denoising strength": hires.denoising_strength,
        "Hires upscale": hires.scale,
        "Hires upscaler": hires.upscaler,
        "Hires steps": hires.steps,
        "Hires resize-1": hires.resize_x,
        "Hires resize-2": hires.resize_y,
        "Variation seed": seed.subseed,
        "Variation seed strength": seed.subseed_strength,
        "Refiner switch at": refiner.switch_at,
    }
    switches = {"enable_hr": hires.enable, "enable_refiner": refiner.enable, "seed_enable_extras": seed.show_extras}
    return Txt2ImgTab(top.prompt, top.negative_prompt, size, Form(fields, switches))
