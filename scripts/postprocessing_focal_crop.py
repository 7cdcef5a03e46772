"""Auto focal point crop: to the target's size, around what the picture shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modules.enhance.focal_crop import Weights, focal_crop
from modules.extend.postprocessed import PostprocessedImage
from modules.extend.postprocessing import ScriptPostprocessing
from modules.extend.step_controls import switched_group
from modules.pipeline.runtime import current


class ScriptPostprocessingFocalCrop(ScriptPostprocessing):
    name = "Auto focal point crop"
    order = 4010
    arguments = ("enable", "face_weight", "entropy_weight", "edges_weight", "debug")

    def ui(self) -> dict[str, Any]:
        import gradio as gr

        with switched_group("Auto focal point crop", "postprocess_focal_crop") as enable:
            sliders = [
                gr.Slider(0, 1, value, step=0.05, label=f"Focal point {name} weight", elem_id=f"postprocess_focal_crop_{name}_weight")
                for name, value in (("face", 0.9), ("entropy", 0.15), ("edges", 0.5))
            ]
            debug = gr.Checkbox(False, label="Create debug image", elem_id="train_process_focal_crop_debug")
        return dict(zip(self.arguments, (enable, *sliders, debug), strict=True))

    def process(self, pp: PostprocessedImage, **args: Any) -> None:
        width, height = pp.shared.target_width, pp.shared.target_height
        if not args.get("enable") or not width or not height:
            return
        weights = Weights(*(float(args.get(f"{name}_weight") or 0) for name in ("face", "entropy", "edges")))
        restorers = current().face_restorers
        detector: Path | None = restorers.yunet() if restorers is not None and weights.face > 0 else None
        pp.image, drawn = focal_crop(pp.image, width, height, weights, detector)
        if args.get("debug"):
            pp.extra_images = [pp.create_copy(drawn, nametags=["focal-crop-debug"], disable_processing=True)]
