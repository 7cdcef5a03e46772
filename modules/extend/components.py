"""Components that scripts build their controls with, under A1111's names (platform.md §4.12 of the reference)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr


class FormRow(gr.Row):
    """A row of controls."""

    def get_block_name(self) -> str:
        return "row"


class FormColumn(gr.Column):
    """A column of controls."""

    def get_block_name(self) -> str:
        return "column"


class FormGroup(gr.Group):
    """A group of controls."""

    def get_block_name(self) -> str:
        return "group"


class FormHTML(gr.HTML):
    """Markup between controls."""

    def get_block_name(self) -> str:
        return "html"


class FormColorPicker(gr.ColorPicker):
    """A choice of colour."""

    def get_block_name(self) -> str:
        return "colorpicker"


class ResizeHandleRow(gr.Row):
    """A row whose two columns the user can make wider and narrower."""

    def __init__(self, *args: Any, elem_classes: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, elem_classes=[*_as_list(elem_classes), "resize-handle-row"], **kwargs)

    def get_block_name(self) -> str:
        return "row"


class ToolButton(gr.Button):
    """A small button with a symbol; `tooltip` is shown when the mouse is over it."""

    def __init__(self, *args: Any, elem_classes: Any = None, tooltip: str | None = None, **kwargs: Any) -> None:
        self.tooltip = tooltip
        super().__init__(*args, elem_classes=["tool", *_as_list(elem_classes)], **kwargs)

    def get_block_name(self) -> str:
        return "button"


class DropdownMulti(gr.Dropdown):
    """A dropdown of which several entries can be taken."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("multiselect", True)
        super().__init__(**kwargs)

    def get_block_name(self) -> str:
        return "dropdown"


class DropdownEditable(gr.Dropdown):
    """A dropdown that takes other values too."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("allow_custom_value", True)
        super().__init__(**kwargs)

    def get_block_name(self) -> str:
        return "dropdown"


class InputAccordion(gr.Checkbox):
    """An accordion that is also an input: True while it is open. Use as a context manager for what is inside."""

    global_index = 0

    def __init__(self, value: bool = False, **kwargs: Any) -> None:
        elem_id = kwargs.pop("elem_id", None)
        if elem_id is None:
            elem_id = f"input-accordion-{InputAccordion.global_index}"
            InputAccordion.global_index += 1
        self.accordion_id = elem_id
        label = kwargs.pop("label", "Accordion")
        kwargs["visible"] = kwargs.get("visible", False)
        super().__init__(value, label=label, elem_id=f"{elem_id}-checkbox", **kwargs)
        self.accordion = gr.Accordion(label, open=value, elem_id=elem_id, elem_classes=["input-accordion"])

    def extra(self) -> gr.Column:
        """A place in the header, `with accordion.extra():`."""
        return gr.Column(elem_id=f"{self.accordion_id}-extra", elem_classes=["input-accordion-extra"], min_width=0)

    def __enter__(self) -> InputAccordion:
        self.accordion.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.accordion.__exit__(*error)

    def get_block_name(self) -> str:
        return "checkbox"


@contextmanager
def nothing() -> Iterator[None]:
    """Stands where no container is wanted."""
    yield


def _as_list(classes: Any) -> list[str]:
    return [classes] if isinstance(classes, str) else list(classes or ())
