"""Small buttons with a symbol."""

from __future__ import annotations

import gradio as gr


def tool_button(symbol: str, elem_id: str) -> gr.Button:
    """A square button; its spoken name and tooltip come from `javascript/hints.js` by its id."""
    return gr.Button(symbol, elem_id=elem_id, elem_classes=["tool"], size="sm", min_width=36, scale=0)
