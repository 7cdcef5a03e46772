"""Size, batch and guidance."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from modules.ui.parts.tools import slider, tool_button


@dataclass
class Dimensions:
    width: gr.Slider
    height: gr.Slider
    batch_count: gr.Slider
    batch_size: gr.Slider
    cfg_scale: gr.Slider
    scale_tab: gr.Number | None = None
    scale_by: gr.Slider | None = None


def dimensions(tab: str, width: int, height: int) -> Dimensions:
    """Build the sliders with a first size in pixels; the swap button works in the browser alone."""
    with gr.Row(elem_classes=["dimensions"]):
        wide, high = _size(tab, width, height)
        count, size = _batch(tab)
    return Dimensions(wide, high, count, size, _guidance(tab))


def img2img_dimensions(width: int, height: int) -> Dimensions:
    """The same for img2img, where the size may also be a multiple of the picture's."""
    tab = "img2img"
    chosen = gr.Number(0, precision=0, visible=False, elem_id="img2img_selected_scale_tab")
    with gr.Row(elem_classes=["dimensions"]):
        with gr.Column(scale=4, min_width=240), gr.Tabs(elem_id="img2img_tabs_resize"):
            with gr.Tab("Resize to", elem_id="img2img_tab_resize_to") as to, gr.Row(elem_classes=["dimensions"]):
                wide, high = _size(tab, width, height)
            with gr.Tab("Resize by", elem_id="img2img_tab_resize_by") as by:
                scale = slider(0.05, 4, 1, step=0.05, label="Scale", elem_id="img2img_scale")
        count, size = _batch(tab)
    for number, part in enumerate((to, by)):
        part.select(None, outputs=chosen, js=f"() => {number}", show_progress="hidden")
    return Dimensions(wide, high, count, size, _guidance(tab), chosen, scale)


def _size(tab: str, width: int, height: int) -> tuple[gr.Slider, gr.Slider]:
    with gr.Column(elem_id=f"{tab}_column_size", scale=4, min_width=200):
        wide = slider(64, 2048, width, step=8, label="Width", elem_id=f"{tab}_width")
        high = slider(64, 2048, height, step=8, label="Height", elem_id=f"{tab}_height")
    with gr.Column(elem_id=f"{tab}_dimensions_row", elem_classes=["dimensions-tools"], scale=0, min_width=36):
        swap = tool_button("⇅", f"{tab}_res_switch_btn")
    swap.click(None, inputs=[wide, high], outputs=[wide, high], js="(w, h) => [h, w]", show_progress="hidden")
    return wide, high


def _batch(tab: str) -> tuple[gr.Slider, gr.Slider]:
    with gr.Column(elem_id=f"{tab}_column_batch", scale=4, min_width=160):
        count = slider(1, 100, 1, step=1, label="Batch count", elem_id=f"{tab}_batch_count")
        size = slider(1, 8, 1, step=1, label="Batch size", elem_id=f"{tab}_batch_size")
    return count, size


def _guidance(tab: str) -> gr.Slider:
    with gr.Row():
        return slider(1, 30, 7, step=0.5, label="CFG Scale", elem_id=f"{tab}_cfg_scale")
