"""CodeFormer: faces made anew, with a weight between the new and the given face."""

from __future__ import annotations

from typing import Any

from modules.extend.postprocessed import PostprocessedImage
from modules.extend.postprocessing import ScriptPostprocessing
from modules.extend.step_controls import switched_group
from modules.pipeline.runtime import current


class ScriptPostprocessingCodeFormer(ScriptPostprocessing):
    name = "CodeFormer"
    order = 3000
    arguments = ("enable", "codeformer_visibility", "codeformer_weight")

    def ui(self) -> dict[str, Any]:
        import gradio as gr

        with switched_group("CodeFormer", "extras_codeformer") as enable, gr.Row():
            visibility = gr.Slider(0, 1, 1.0, step=0.001, label="Visibility", elem_id="extras_codeformer_visibility")
            weight = gr.Slider(
                0, 1, 0, step=0.001, label="Weight (0 = maximum effect, 1 = minimum effect)", elem_id="extras_codeformer_weight"
            )
        return {"enable": enable, "codeformer_visibility": visibility, "codeformer_weight": weight}

    def process(self, pp: PostprocessedImage, **args: Any) -> None:
        visibility = float(args.get("codeformer_visibility") or 0)
        if not args.get("enable") or visibility == 0:
            return
        weight = float(args.get("codeformer_weight") or 0)
        runtime = current()
        pp.image = runtime.face_restorers.restore(pp.image, "CodeFormer", runtime.options, visibility=visibility, weight=weight)
        pp.info["CodeFormer visibility"] = round(visibility, 3)
        pp.info["CodeFormer weight"] = round(weight, 3)
