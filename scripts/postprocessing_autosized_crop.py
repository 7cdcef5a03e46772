"""Auto-sized crop: to the size within bounds that fits the picture's shape best."""

from __future__ import annotations

from typing import Any

from modules.enhance.crops import best_size, center_crop
from modules.enhance.errors import BadStep
from modules.extend.postprocessed import PostprocessedImage
from modules.extend.postprocessing import ScriptPostprocessing
from modules.extend.step_controls import switched_group

OBJECTIVES = ("Maximize area", "Minimize error")


class ScriptPostprocessingAutosizedCrop(ScriptPostprocessing):
    name = "Auto-sized crop"
    order = 4020
    arguments = ("enable", "mindim", "maxdim", "minarea", "maxarea", "objective", "threshold")

    def ui(self) -> dict[str, Any]:
        import gradio as gr

        prefix = "postprocess_multicrop"
        with switched_group("Auto-sized crop", prefix) as enable:
            with gr.Row():
                mindim = gr.Slider(64, 2048, 384, step=8, label="Dimension lower bound", elem_id=f"{prefix}_mindim")
                maxdim = gr.Slider(64, 2048, 768, step=8, label="Dimension upper bound", elem_id=f"{prefix}_maxdim")
            with gr.Row():
                minarea = gr.Slider(64 * 64, 2048 * 2048, 64 * 64, step=1, label="Area lower bound", elem_id=f"{prefix}_minarea")
                maxarea = gr.Slider(64 * 64, 2048 * 2048, 640 * 640, step=1, label="Area upper bound", elem_id=f"{prefix}_maxarea")
            with gr.Row():
                objective = gr.Radio(list(OBJECTIVES), value=OBJECTIVES[0], label="Resizing objective", elem_id=f"{prefix}_objective")
                threshold = gr.Slider(0, 1, 0.1, step=0.01, label="Error threshold", elem_id=f"{prefix}_threshold")
        return dict(zip(self.arguments, (enable, mindim, maxdim, minarea, maxarea, objective, threshold), strict=True))

    def process(self, pp: PostprocessedImage, **args: Any) -> None:
        if not args.get("enable"):
            return
        objective = args.get("objective") or OBJECTIVES[0]
        if objective not in OBJECTIVES:
            raise BadStep(f"objective: must be {' or '.join(OBJECTIVES)}, not {objective}")
        size = best_size(
            pp.image,
            smallest=int(args.get("mindim") or 384),
            largest=int(args.get("maxdim") or 768),
            min_area=int(args.get("minarea") or 64 * 64),
            max_area=int(args.get("maxarea") or 640 * 640),
            objective=objective,
            threshold=float(args.get("threshold") or 0),
        )
        if size is not None:
            pp.image = center_crop(pp.image, *size)
