"""Create flipped copies."""

from __future__ import annotations

from typing import Any

from PIL import ImageOps

from modules.extend.postprocessed import PostprocessedImage
from modules.extend.postprocessing import ScriptPostprocessing
from modules.extend.step_controls import switched_group


class ScriptPostprocessingCreateFlippedCopies(ScriptPostprocessing):
    name = "Create flipped copies"
    order = 4030
    arguments = ("enable", "option")

    def ui(self) -> dict[str, Any]:
        import gradio as gr

        with switched_group("Create flipped copies", "postprocess_flip") as enable:
            option = gr.CheckboxGroup(["Horizontal", "Vertical", "Both"], value=["Horizontal"], show_label=False)
        return {"enable": enable, "option": option}

    def process(self, pp: PostprocessedImage, **args: Any) -> None:
        if not args.get("enable"):
            return
        wanted, image = args.get("option") or (), pp.image
        if "Horizontal" in wanted:
            pp.extra_images.append(pp.create_copy(ImageOps.mirror(image)))
        if "Vertical" in wanted:
            pp.extra_images.append(pp.create_copy(ImageOps.flip(image)))
        if "Both" in wanted:
            pp.extra_images.append(pp.create_copy(ImageOps.mirror(ImageOps.flip(image))))
