"""How a masked part is drawn anew."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from modules.ui.parts.tools import slider


@dataclass
class InpaintingControls:
    mask_blur: gr.Slider
    mask_mode: gr.Radio
    fill: gr.Radio
    area: gr.Radio
    padding: gr.Slider


def inpainting_controls() -> InpaintingControls:
    """Build the controls; they show while a mode with a mask is open."""
    with gr.Column(elem_id="inpaint_controls", elem_classes=["inpaint-controls"]):
        with gr.Row():
            blur = slider(0, 64, 4, step=1, label="Mask blur", elem_id="img2img_mask_blur")
            padding = slider(0, 256, 32, step=4, label="Only masked padding, pixels", elem_id="img2img_inpaint_full_res_padding")
        mode = gr.Radio(
            ["Inpaint masked", "Inpaint not masked"],
            value="Inpaint masked",
            type="index",
            label="Mask mode",
            elem_id="img2img_mask_mode",
        )
        fill = gr.Radio(
            ["fill", "original", "latent noise", "latent nothing"],
            value="original",
            type="index",
            label="Masked content",
            elem_id="img2img_inpainting_fill",
        )
        area = gr.Radio(
            ["Whole picture", "Only masked"], value="Whole picture", type="index", label="Inpaint area", elem_id="img2img_inpaint_full_res"
        )
    return InpaintingControls(blur, mode, fill, area, padding)
