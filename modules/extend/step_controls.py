"""A group of controls with a switch in its head, for the steps of the Extras page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def switched_group(label: str, elem_id: str, value: bool = False) -> Iterator[Any]:
    """Open a folding group and give the control that switches the step on."""
    import gradio

    try:
        from modules.extend.components import InputAccordion
    except ImportError:
        with gradio.Accordion(label, open=value):
            yield gradio.Checkbox(value, label=f"Enable {label}", elem_id=f"{elem_id}_enable")
    else:
        with InputAccordion(value, label=label, elem_id=elem_id) as switch:
            yield switch
