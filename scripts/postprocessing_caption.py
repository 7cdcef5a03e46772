"""Caption: what is in the picture, for a text file beside it."""

from __future__ import annotations

from typing import Any

from modules.enhance.errors import ModelMissing
from modules.extend.postprocessed import PostprocessedImage
from modules.extend.postprocessing import ScriptPostprocessing
from modules.extend.step_controls import switched_group
from modules.pipeline.runtime import current

KINDS = {"Deepbooru": "deepdanbooru", "BLIP": "clip"}


class ScriptPostprocessingCaption(ScriptPostprocessing):
    name = "Caption"
    order = 4040
    arguments = ("enable", "option")

    def ui(self) -> dict[str, Any]:
        import gradio as gr

        with switched_group("Caption", "postprocess_caption") as enable:
            option = gr.CheckboxGroup(list(KINDS), value=["Deepbooru"], show_label=False)
        return {"enable": enable, "option": option}

    def process(self, pp: PostprocessedImage, **args: Any) -> None:
        wanted = [kind for kind in KINDS if kind in (args.get("option") or ())]
        if not args.get("enable") or not wanted:
            return
        runtime = current()
        interrogators = getattr(runtime, "interrogators", None)
        if interrogators is None:
            raise ModelMissing(f"captioning by {wanted[0]}", "an interrogator's model", runtime.data_dir / "models")
        pp.caption = ", ".join(filter(None, (interrogators.caption(pp.image, KINDS[kind]) for kind in wanted)))
