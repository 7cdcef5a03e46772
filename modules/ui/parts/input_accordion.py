"""A panel with a switch for its title: closed means off, open means on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

_TOGGLE = "(on, id) => document.getElementById(id)?.classList.toggle('open', on)"


@contextmanager
def input_accordion(label: str, elem_id: str, value: bool = False) -> Iterator[gr.Checkbox]:
    """Build the panel around what is created inside; yields the switch, whose value is the panel's.

    The page opens and closes it by itself, so nothing waits for the server.
    """
    classes = ["input-accordion", *(["open"] if value else [])]
    with gr.Column(elem_id=elem_id, elem_classes=classes):
        switch = gr.Checkbox(value, label=label, elem_id=f"{elem_id}-checkbox", elem_classes=["input-accordion-switch"])
        with gr.Column(elem_id=f"{elem_id}-content", elem_classes=["input-accordion-content"]):
            yield switch
    switch.change(None, inputs=switch, js=f"(on) => ({_TOGGLE})(on, '{elem_id}')", show_progress="hidden")
