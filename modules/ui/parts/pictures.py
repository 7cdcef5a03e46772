"""Where img2img takes its picture from: as it is, with a mask drawn on it, or with a mask from a file."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

MASK_COLOUR = "rgba(255, 255, 255, 0.75)"
_MODE = "() => {{ document.getElementById('img2img_settings').dataset.mode = '{0}'; return {0}; }}"


@dataclass
class PictureInputs:
    mode: gr.Number
    image: gr.Image
    drawn: gr.ImageEditor
    base: gr.Image
    mask: gr.Image


def picture_inputs() -> PictureInputs:
    """Build the tabs; which one is open is the mode, kept by the page itself."""
    mode = gr.Number(0, precision=0, visible=False, elem_id="img2img_mode")
    with gr.Tabs(elem_id="mode_img2img"):
        with gr.Tab("img2img", elem_id="img2img_img2img_tab") as plain:
            image = _image("Image for img2img", "img2img_image")
        with gr.Tab("Inpaint", elem_id="img2img_inpaint_tab") as inpaint:
            drawn = gr.ImageEditor(
                label="Image for inpainting with mask",
                show_label=False,
                elem_id="img2maskimg",
                type="pil",
                image_mode="RGBA",
                brush=gr.Brush(default_size=24, colors=[MASK_COLOUR], color_mode="fixed"),
                eraser=gr.Eraser(default_size=24),
                layers=False,
                transforms=(),
                sources=("upload", "clipboard"),
                height=420,
            )
        with gr.Tab("Inpaint upload", elem_id="img2img_inpaint_upload_tab") as upload, gr.Row():
            base = _image("Image for img2img", "img_inpaint_base", height=280)
            mask = _image("Mask", "img_inpaint_mask", height=280)
    for number, tab in enumerate((plain, inpaint, upload)):
        tab.select(None, outputs=mode, js=_MODE.format(number), show_progress="hidden")
    return PictureInputs(mode, image, drawn, base, mask)


def _image(label: str, elem_id: str, height: int = 420) -> gr.Image:
    return gr.Image(
        label=label, elem_id=elem_id, type="pil", image_mode="RGBA", sources=["upload", "clipboard"], height=height, buttons=["fullscreen"]
    )
