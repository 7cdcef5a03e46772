"""GFPGAN: faces made anew."""

from __future__ import annotations

from typing import Any

from modules.extend.postprocessed import PostprocessedImage
from modules.extend.postprocessing import ScriptPostprocessing
from modules.extend.step_controls import switched_group
from modules.pipeline.runtime import current


class ScriptPostprocessingGfpGan(ScriptPostprocessing):
    name = "GFPGAN"
    order = 2000
    arguments = ("enable", "gfpgan_visibility")

    def ui(self) -> dict[str, Any]:
        import gradio as gr

        with switched_group("GFPGAN", "extras_gfpgan") as enable:
            visibility = gr.Slider(0, 1, 1.0, step=0.001, label="Visibility", elem_id="extras_gfpgan_visibility")
        return {"enable": enable, "gfpgan_visibility": visibility}

    def process(self, pp: PostprocessedImage, **args: Any) -> None:
        visibility = float(args.get("gfpgan_visibility") or 0)
        if not args.get("enable") or visibility == 0:
            return
        runtime = current()
        pp.image = runtime.face_restorers.restore(pp.image, "GFPGAN", runtime.options, visibility=visibility)
        pp.info["GFPGAN visibility"] = round(visibility, 3)
