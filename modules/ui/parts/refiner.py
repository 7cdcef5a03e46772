"""The refiner: a checkpoint that takes over in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from modules.ui.parts.input_accordion import input_accordion
from modules.ui.parts.tools import slider, tool_button

if TYPE_CHECKING:
    from modules.engine.engine import Engine


@dataclass
class RefinerControls:
    enable: gr.Checkbox
    checkpoint: gr.Dropdown
    switch_at: gr.Slider


def refiner_controls(tab: str, engine: Engine) -> RefinerControls:
    """Build the panel with the checkpoints there are; the button looks for new ones."""

    def titles() -> list[str]:
        return [info.title for info in engine.checkpoints.list()]

    def again() -> object:
        engine.checkpoints.refresh()
        return gr.Dropdown(choices=titles())

    with input_accordion("Refiner", f"{tab}_enable") as enable, gr.Row():
        checkpoint = gr.Dropdown(titles(), value=None, label="Checkpoint", elem_id=f"{tab}_checkpoint")
        refresh = tool_button("🔄", f"refresh_{tab}_checkpoint")
        switch_at = slider(0.01, 1, 0.8, step=0.01, label="Switch at", elem_id=f"{tab}_switch_at")
    refresh.click(again, outputs=checkpoint, show_progress="hidden", queue=False, api_visibility="private")
    return RefinerControls(enable, checkpoint, switch_at)
