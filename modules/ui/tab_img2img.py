"""The img2img tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from modules.ui.defaults import opening_values
from modules.ui.generate import Stops, connect_generate, form_handler
from modules.ui.img2img_request import img2img_request
from modules.ui.parts.dimensions import Dimensions, img2img_dimensions
from modules.ui.parts.inpainting import inpainting_controls
from modules.ui.parts.output import output_panel
from modules.ui.parts.pictures import PictureInputs, picture_inputs
from modules.ui.parts.refiner import refiner_controls
from modules.ui.parts.sampling import sampling_controls
from modules.ui.parts.seed import connect_reuse, seed_controls
from modules.ui.parts.tools import slider
from modules.ui.parts.toprow import top_row
from modules.ui.paste import Form

if TYPE_CHECKING:
    from modules.engine.engine import Engine

RESIZE_MODES = ("Just resize", "Crop and resize", "Resize and fill", "Just resize (latent upscale)")


@dataclass
class Img2ImgTab:
    """What other parts of the page connect to."""

    prompt: gr.Textbox
    negative_prompt: gr.Textbox
    size: Dimensions
    pictures: PictureInputs
    form: Form


def img2img_tab(engine: Engine) -> Img2ImgTab:
    """Build the tab and wire it to the engine."""
    opening = opening_values(engine)
    with gr.Tab("img2img", id="img2img", elem_id="tab_img2img"):
        top = top_row("img2img", opening.prompt, engine)
        with gr.Row(elem_classes=["tab-body"]):
            with gr.Column(elem_id="img2img_settings", scale=1, min_width=320):
                pictures = picture_inputs()
                resize = gr.Radio(RESIZE_MODES, value=RESIZE_MODES[0], type="index", label="Resize mode", elem_id="resize_mode")
                inpainting = inpainting_controls()
                sampling = sampling_controls("img2img", engine)
                refiner = refiner_controls("img2img", engine)
                size = img2img_dimensions(opening.width, opening.height)
                strength = slider(0, 1, 0.75, step=0.01, label="Denoising strength", elem_id="img2img_denoising_strength")
                seed = seed_controls("img2img")
            output = output_panel("img2img")
        form = {
            "prompt": top.prompt,
            "negative_prompt": top.negative_prompt,
            "styles": top.styles,
            "mode": pictures.mode,
            "init_img": pictures.image,
            "init_img_with_mask": pictures.drawn,
            "init_img_inpaint": pictures.base,
            "init_mask_inpaint": pictures.mask,
            "mask_blur": inpainting.mask_blur,
            "inpainting_fill": inpainting.fill,
            "inpaint_full_res": inpainting.area,
            "inpaint_full_res_padding": inpainting.padding,
            "inpainting_mask_invert": inpainting.mask_mode,
            "n_iter": size.batch_count,
            "batch_size": size.batch_size,
            "cfg_scale": size.cfg_scale,
            "denoising_strength": strength,
            "selected_scale_tab": size.scale_tab,
            "height": size.height,
            "width": size.width,
            "scale_by": size.scale_by,
            "resize_mode": resize,
            "steps": sampling.steps,
            "sampler_name": sampling.sampler,
            "scheduler": sampling.scheduler,
            "enable_refiner": refiner.enable,
            "refiner_checkpoint": refiner.checkpoint,
            "refiner_switch_at": refiner.switch_at,
            "seed": seed.seed,
            "seed_enable_extras": seed.show_extras,
            "subseed": seed.subseed,
            "subseed_strength": seed.subseed_strength,
            "seed_resize_from_w": seed.resize_from_w,
            "seed_resize_from_h": seed.resize_from_h,
        }
        stops = Stops(engine)
        handler = form_handler(engine, stops, tuple(form), img2img_request)
        connect_generate("img2img", engine, stops, top, output, list(form.values()), handler)
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
        "Denoising strength": strength,
        "Variation seed": seed.subseed,
        "Variation seed strength": seed.subseed_strength,
        "Refiner switch at": refiner.switch_at,
    }
    switches = {"enable_refiner": refiner.enable, "seed_enable_extras": seed.show_extras}
    return Img2ImgTab(top.prompt, top.negative_prompt, size, pictures, Form(fields, switches))
