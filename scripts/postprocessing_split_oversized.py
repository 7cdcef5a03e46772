"""Split oversized images: a picture much longer than the target becomes several."""

from __future__ import annotations

from typing import Any

from modules.enhance.crops import split_oversized
from modules.extend.postprocessed import PostprocessedImage
from modules.extend.postprocessing import ScriptPostprocessing
from modules.extend.step_controls import switched_group


class ScriptPostprocessingSplitOversized(ScriptPostprocessing):
    name = "Split oversized images"
    order = 4000
    arguments = ("enable", "split_threshold", "overlap_ratio")

    def ui(self) -> dict[str, Any]:
        import gradio as gr

        with switched_group("Split oversized images", "postprocess_split") as enable, gr.Row():
            threshold = gr.Slider(0, 1, 0.5, step=0.05, label="Threshold", elem_id="postprocess_split_threshold")
            overlap = gr.Slider(0, 0.9, 0.2, step=0.05, label="Overlap ratio", elem_id="postprocess_overlap_ratio")
        return {"enable": enable, "split_threshold": threshold, "overlap_ratio": overlap}

    def process(self, pp: PostprocessedImage, **args: Any) -> None:
        width, height = pp.shared.target_width, pp.shared.target_height
        if not args.get("enable") or not width or not height:
            return
        threshold, overlap = float(args.get("split_threshold") or 0), float(args.get("overlap_ratio") or 0)
        pp.image, *others = split_oversized(pp.image, width, height, threshold=threshold, overlap=overlap)
        pp.extra_images = [pp.create_copy(other) for other in others]
