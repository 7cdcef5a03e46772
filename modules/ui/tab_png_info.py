"""The PNG Info tab: what a picture says about itself, and taking it over into a form."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import gradio as gr

from modules.ui.paste import Form, paste_into
from modules.ui.results import infotext_html

if TYPE_CHECKING:
    from PIL import Image

    from modules.engine.engine import Engine

EMPTY = "<p class='quiet'>Drop a picture to read how it was made.</p>"


def png_info_tab(engine: Engine, txt2img: Form, img2img: Form, picture: gr.Image) -> None:
    """Build the tab; its buttons fill the forms of the other tabs, `picture` being img2img's."""
    with gr.Tab("PNG Info", id="pnginfo", elem_id="tab_pnginfo"), gr.Row():
        with gr.Column(min_width=320):
            image = gr.Image(
                label="Source", elem_id="pnginfo_image", type="pil", image_mode=None, sources=["upload", "clipboard"], height=520
            )
        with gr.Column(min_width=320):
            text = gr.Textbox(visible=False, elem_id="pnginfo_generation_info")
            shown = gr.HTML(
                "<p class='quiet'>Drop a picture to read how it was made.</p>", elem_id="pnginfo_html", elem_classes=["infotext"]
            )
            with gr.Row(elem_id="pnginfo_send"):
                to_txt2img = gr.Button("Send to txt2img", elem_id="txt2img_tab")
                to_img2img = gr.Button("Send to img2img", elem_id="img2img_tab")
    quiet: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
    image.change(read_picture, inputs=image, outputs=[text, shown], **quiet)
    for button, form, tab in ((to_txt2img, txt2img, "txt2img"), (to_img2img, img2img, "img2img")):
        filled = button.click(lambda infotext, form=form: paste_into(form, infotext, engine), inputs=text, outputs=form.outputs, **quiet)
        if tab == "img2img":
            filled = filled.then(lambda given: given, inputs=image, outputs=picture, **quiet)
        filled.then(None, js=f"() => window.switch_to_{tab}()", **quiet)


def read_picture(image: Image.Image | None) -> tuple[str, str]:
    """The infotext of a picture, and everything it says about itself as safe HTML."""
    if image is None:
        return "", EMPTY
    from modules.diffusion.samplers.registry import SAMPLERS
    from modules.imaging.metadata import read_info_from_image

    labels = {alias.lower(): info.label for info in SAMPLERS for alias in (info.label, *info.aliases)}
    infotext, items = read_info_from_image(image, labels)
    others = "".join(_entry(name, value) for name, value in items.items() if name != "parameters")
    if not infotext and not others:
        return "", "<p>This picture says nothing about how it was made.</p>"
    return infotext or "", infotext_html(infotext or "") + others


def _entry(name: str, value: Any) -> str:
    return f"<p><b>{html.escape(str(name))}</b><br>{html.escape(str(value))}</p>"
