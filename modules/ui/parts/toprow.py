"""The row of a generation tab's prompts and its Generate button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from modules.ui.parts.tools import tool_button

if TYPE_CHECKING:
    from modules.engine.engine import Engine

PLACEHOLDER = "{}\n(Press Ctrl+Enter to generate, Alt+Enter to skip, Esc to interrupt)"


@dataclass
class TopRow:
    prompt: gr.Textbox
    negative_prompt: gr.Textbox
    generate: gr.Button
    interrupt: gr.Button
    skip: gr.Button
    interrupting: gr.Button
    clear: gr.Button
    styles: gr.Dropdown
    error: gr.HTML


def top_row(tab: str, prompt: str, engine: Engine) -> TopRow:
    """Build the row of a tab ("txt2img", "img2img") with a first prompt and the styles there are."""
    with gr.Row(elem_id=f"{tab}_toprow", elem_classes=["toprow"]):
        with gr.Column(elem_id=f"{tab}_prompt_container", elem_classes=["prompt-container"], scale=6):
            positive = _prompt(tab, "prompt", "Prompt", prompt)
            negative = _prompt(tab, "neg_prompt", "Negative prompt", "")
        with gr.Column(elem_id=f"{tab}_actions_column", elem_classes=["actions-column"], scale=1, min_width=220):
            interrupt, skip, interrupting, generate = _generate_box(tab)
            with gr.Row(elem_id=f"{tab}_tools", elem_classes=["prompt-tools"]):
                clear = tool_button("🗑️", f"{tab}_clear_prompt")
            names = style_names(engine)
            styles = gr.Dropdown(
                names, value=[], multiselect=True, label="Styles", elem_id=f"{tab}_styles", visible=True if names else "hidden"
            )
            error = gr.HTML(elem_id=f"{tab}_error", elem_classes=["error-slot"])
    return TopRow(positive, negative, generate, interrupt, skip, interrupting, clear, styles, error)


def style_names(engine: Engine) -> list[str]:
    """Names of the styles in the styles files."""
    from modules.prompt.styles import StyleDatabase

    files = list(getattr(engine.flags, "styles_file", None) or [engine.paths.data / "styles.csv"])
    return list(StyleDatabase(files).styles)


def _prompt(tab: str, name: str, label: str, value: str) -> gr.Textbox:
    counter = "token_counter" if name == "prompt" else "negative_token_counter"
    with gr.Row(elem_id=f"{tab}_{name}_row", elem_classes=["prompt-row"]):
        textbox = gr.Textbox(
            value,
            label=label,
            show_label=False,
            lines=3,
            max_lines=12,
            placeholder=PLACEHOLDER.format(label),
            elem_id=f"{tab}_{name}",
            elem_classes=["prompt"],
        )
        gr.HTML("<span>0/75</span>", elem_id=f"{tab}_{counter}", elem_classes=["token-counter"])
    return textbox


def _generate_box(tab: str) -> tuple[gr.Button, gr.Button, gr.Button, gr.Button]:
    with gr.Row(elem_id=f"{tab}_generate_box", elem_classes=["generate-box"]):
        interrupt = gr.Button("Interrupt", elem_id=f"{tab}_interrupt", elem_classes=["generate-box-interrupt"])
        skip = gr.Button("Skip", elem_id=f"{tab}_skip", elem_classes=["generate-box-skip"])
        interrupting = gr.Button("Interrupting...", elem_id=f"{tab}_interrupting", elem_classes=["generate-box-interrupting"])
        generate = gr.Button("Generate", variant="primary", elem_id=f"{tab}_generate")
    return interrupt, skip, interrupting, generate
