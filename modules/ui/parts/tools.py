"""Small buttons with a symbol, and sliders as the page uses them."""

from __future__ import annotations

from typing import Any

import gradio as gr


def tool_button(symbol: str, elem_id: str) -> gr.Button:
    """A square button; its spoken name and tooltip come from `javascript/hints.js` by its id."""
    return gr.Button(symbol, elem_id=elem_id, elem_classes=["tool"], size="sm", min_width=36, scale=0)


def slider(minimum: float, maximum: float, value: float, **settings: Any) -> gr.Slider:
    """A slider with its number box and no further buttons; takes gr.Slider's keyword arguments."""
    return gr.Slider(minimum, maximum, value, buttons=[], **settings)
