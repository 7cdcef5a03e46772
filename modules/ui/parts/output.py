"""The panel with a tab's results: pictures, progress, infotext."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from modules.ui.results import infotext_at, infotext_html


@dataclass
class OutputPanel:
    gallery: gr.Gallery
    infotext: gr.HTML
    comments: gr.HTML
    generation_info: gr.Textbox


def output_panel(tab: str) -> OutputPanel:
    """Build the panel; the progress bar and the live preview are laid over the gallery by `progress.js`."""
    with (
        gr.Column(elem_id=f"{tab}_results", elem_classes=["results"], scale=1, min_width=320),
        gr.Column(elem_id=f"{tab}_results_panel"),
    ):
        with gr.Column(elem_id=f"{tab}_gallery_container", elem_classes=["result-gallery"]):
            gallery = gr.Gallery(
                label="Output",
                show_label=False,
                elem_id=f"{tab}_gallery",
                columns=4,
                preview=True,
                object_fit="contain",
                format="png",
                interactive=False,
                buttons=["download", "fullscreen"],
            )
        infotext = gr.HTML(elem_id=f"html_info_{tab}", elem_classes=["infotext"])
        comments = gr.HTML(elem_id=f"html_log_{tab}", elem_classes=["html-log"])
        info = gr.Textbox(elem_id=f"generation_info_{tab}", visible=False)

    def describe(generation_info: str, event: gr.SelectData) -> str:
        return infotext_html(infotext_at(generation_info, int(event.index)))

    gallery.select(describe, inputs=info, outputs=infotext, show_progress="hidden", queue=False, api_visibility="private")
    return OutputPanel(gallery, infotext, comments, info)
