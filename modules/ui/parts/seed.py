"""Seed, variation seed and seed resizing."""

from __future__ import annotations

import json
from dataclasses import dataclass

import gradio as gr

from modules.ui.parts.tools import slider, tool_button


@dataclass
class SeedControls:
    seed: gr.Number
    show_extras: gr.Checkbox
    subseed: gr.Number
    subseed_strength: gr.Slider
    resize_from_w: gr.Slider
    resize_from_h: gr.Slider
    reuse_seed: gr.Button
    reuse_subseed: gr.Button


def seed_controls(tab: str) -> SeedControls:
    """Build the seed row and its extras, which the checkbox opens."""
    with gr.Row(elem_id=f"{tab}_seed_row", elem_classes=["seed-row"]):
        seed = gr.Number(-1, label="Seed", precision=0, elem_id=f"{tab}_seed", min_width=120)
        random_seed = tool_button("🎲️", f"{tab}_random_seed")
        reuse_seed = tool_button("♻️", f"{tab}_reuse_seed")
        show = gr.Checkbox(False, label="Extra", elem_id=f"{tab}_subseed_show", min_width=80, scale=0)
    with gr.Column(elem_id=f"{tab}_seed_extras", visible=False) as extras:
        with gr.Row(elem_id=f"{tab}_subseed_row", elem_classes=["seed-row"]):
            subseed = gr.Number(-1, label="Variation seed", precision=0, elem_id=f"{tab}_subseed", min_width=120)
            random_subseed = tool_button("🎲️", f"{tab}_random_subseed")
            reuse_subseed = tool_button("♻️", f"{tab}_reuse_subseed")
            strength = slider(0, 1, 0, step=0.01, label="Variation strength", elem_id=f"{tab}_subseed_strength")
        with gr.Row(elem_id=f"{tab}_seed_resize_from_row"):
            width = slider(0, 2048, 0, step=8, label="Resize seed from width", elem_id=f"{tab}_seed_resize_from_w")
            height = slider(0, 2048, 0, step=8, label="Resize seed from height", elem_id=f"{tab}_seed_resize_from_h")
    for button, number in ((random_seed, seed), (random_subseed, subseed)):
        button.click(None, outputs=number, js="() => -1", show_progress="hidden")
    show.change(_show, inputs=show, outputs=extras, show_progress="hidden", queue=False, api_visibility="private")
    return SeedControls(seed, show, subseed, strength, width, height, reuse_seed, reuse_subseed)


def connect_reuse(controls: SeedControls, generation_info: gr.Textbox) -> None:
    """Let the recycle buttons fetch the seeds of the picture that the gallery shows.

    The picture's index comes from the page; where none is selected the first one counts.
    """
    for button, number, key in (
        (controls.reuse_seed, controls.seed, "all_seeds"),
        (controls.reuse_subseed, controls.subseed, "all_subseeds"),
    ):
        button.click(
            _seed_of,
            inputs=[number, generation_info, gr.State(key), gr.State(0)],
            outputs=number,
            js="(seed, info, key) => [seed, info, key, selected_gallery_index()]",
            show_progress="hidden",
            queue=False,
            api_visibility="private",
        )


def _show(is_open: bool) -> object:
    return gr.Column(visible=is_open)


def _seed_of(now: float, generation_info: str, key: str, index: int) -> float | int:
    """The seed of one of the job's pictures, or the present one where there is no such picture."""
    try:
        info = json.loads(generation_info or "{}")
        position = max(0, int(index) - int(info.get("index_of_first_image", 0)))
        return int(info[key][position])
    except (ValueError, KeyError, IndexError, TypeError):
        return now
