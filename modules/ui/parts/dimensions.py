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


def dimensions(tab: str, width: int, height: int) -> Dimensions:
    """Build the sliders with a first size in pixels; the swap button works in the browser alone."""
    with gr.Row(elem_classes=["dimensions"]):
        with gr.Column(elem_id=f"{tab}_column_size", scale=4, min_width=200):
            wide = slider(64, 2048, width, step=8, label="Width", elem_id=f"{tab}_width")
            high = slider(64, 2048, height, step=8, label="Height", elem_id=f"{tab}_height")
        with gr.Column(elem_id=f"{tab}_dimensions_row", elem_classes=["dimensions-tools"], scale=0, min_width=36):
            swap = tool_button("⇅", f"{tab}_res_switch_btn")
        with gr.Column(elem_id=f"{tab}_column_batch", scale=4, min_width=160):
            count = slider(1, 100, 1, step=1, label="Batch count", elem_id=f"{tab}_batch_count")
            size = slider(1, 8, 1, step=1, label="Batch size", elem_id=f"{tab}_batch_size")
    with gr.Row():
        cfg_scale = slider(1, 30, 7, step=0.5, label="CFG Scale", elem_id=f"{tab}_cfg_scale")
    swap.click(None, inputs=[wide, high], outputs=[wide, high], js="(w, h) => [h, w]", show_progress="hidden")
    return Dimensions(wide, high, count, size, cfg_scale)
