"""Upscale: by a factor or to a size, with one upscaler or a blend of two."""

from __future__ import annotations

from typing import Any

from modules.enhance.two_upscalers import BY, TO, TwoUpscalers, UpscaleCache, UpscaleStep
from modules.extend.postprocessed import PostprocessedImage
from modules.extend.postprocessing import ScriptPostprocessing
from modules.extend.step_controls import switched_group
from modules.pipeline.runtime import current

NONE = (None, "", "None")
cache = UpscaleCache()


def steps() -> TwoUpscalers:
    """The step with the upscalers and settings of the running job."""
    runtime = current()
    return TwoUpscalers(runtime.upscalers, runtime.options, cache, lambda: runtime.state.interrupted or runtime.state.skipped)


class ScriptPostprocessingUpscale(ScriptPostprocessing):
    name = "Upscale"
    order = 1000
    arguments = (
        "upscale_enabled",
        "upscale_mode",
        "upscale_by",
        "max_side_length",
        "upscale_to_width",
        "upscale_to_height",
        "upscale_crop",
        "upscaler_1_name",
        "upscaler_2_name",
        "upscaler_2_visibility",
    )

    def ui(self) -> dict[str, Any]:
        import gradio as gr

        from modules.extend.host import current as host

        names = host().engine.enhancers.upscalers.names()
        with switched_group("Upscale", "extras_upscale", True) as enabled:
            with gr.Row():
                upscaler_1 = gr.Dropdown(names, value=names[0], label="Upscaler 1", elem_id="extras_upscaler_1")
                upscaler_2 = gr.Dropdown(names, value=names[0], label="Upscaler 2", elem_id="extras_upscaler_2")
                visibility = gr.Slider(0, 1, 0.0, step=0.001, label="Upscaler 2 visibility", elem_id="extras_upscaler_2_visibility")
            mode = gr.State(BY)
            with gr.Tabs(elem_id="extras_resize_mode"):
                with gr.Tab("Scale by", elem_id="extras_scale_by_tab") as tab_by:
                    by = gr.Slider(1, 8, 4, step=0.05, label="Resize", elem_id="extras_upscaling_resize")
                    limit = gr.Number(0, minimum=0, step=8, precision=0, label="Max side length", elem_id="extras_upscale_max_side_length")
                with gr.Tab("Scale to", elem_id="extras_scale_to_tab") as tab_to, gr.Row():
                    width = gr.Slider(64, 8192, 512, step=8, label="Width", elem_id="extras_upscaling_resize_w")
                    height = gr.Slider(64, 8192, 512, step=8, label="Height", elem_id="extras_upscaling_resize_h")
                    switch = gr.Button("⇅", elem_id="upscaling_res_switch_btn")
                    crop = gr.Checkbox(True, label="Crop to fit", elem_id="extras_upscaling_crop")
        switch.click(lambda w, h: (h, w), [width, height], [width, height], show_progress="hidden")
        tab_by.select(lambda: BY, None, mode)
        tab_to.select(lambda: TO, None, mode)
        controls = (enabled, mode, by, limit, width, height, crop, upscaler_1, upscaler_2, visibility)
        return dict(zip(self.arguments, controls, strict=True))

    def process_firstpass(self, pp: PostprocessedImage, **args: Any) -> None:
        step = _step(args)
        if step is not None:
            step.check()
            pp.shared.target_width, pp.shared.target_height = step.target(pp.image.size)

    def process(self, pp: PostprocessedImage, **args: Any) -> None:
        step = _step(args)
        if step is None or step.upscaler_1 in NONE:
            return
        pp.image, info = steps().apply(pp.image, step)
        pp.info.update(info)

    def image_changed(self) -> None:
        cache.clear()


def _step(args: dict[str, Any]) -> UpscaleStep | None:
    """What is asked for, None where the step is off."""
    if not args.get("upscale_enabled"):
        return None
    return UpscaleStep(
        mode=TO if args.get("upscale_mode") == TO else BY,
        by=float(args.get("upscale_by") or 0),
        max_side_length=int(args.get("max_side_length") or 0),
        width=int(args.get("upscale_to_width") or 0),
        height=int(args.get("upscale_to_height") or 0),
        crop=bool(args.get("upscale_crop")),
        upscaler_1=args.get("upscaler_1_name"),
        upscaler_2=args.get("upscaler_2_name"),
        visibility_2=float(args.get("upscaler_2_visibility") or 0),
    )


class ScriptPostprocessingUpscaleSimple(ScriptPostprocessing):
    """The short form for the pages of txt2img and img2img."""

    name = "Simple Upscale"
    order = 900
    arguments = ("upscale_by", "upscaler_name")

    def ui(self) -> dict[str, Any]:
        import gradio as gr

        from modules.extend.host import current as host

        names = host().engine.enhancers.upscalers.names()
        with gr.Row():
            name = gr.Dropdown(names, value=names[0], label="Upscaler")
            by = gr.Slider(1, 8, 2, step=0.05, label="Upscale by")
        return {"upscale_by": by, "upscaler_name": name}

    def process_firstpass(self, pp: PostprocessedImage, **args: Any) -> None:
        by = float(args.get("upscale_by") or 1)
        pp.shared.target_width, pp.shared.target_height = int(pp.image.width * by), int(pp.image.height * by)

    def process(self, pp: PostprocessedImage, **args: Any) -> None:
        name = args.get("upscaler_name")
        if name in NONE:
            return
        pp.image, info = steps().apply(pp.image, UpscaleStep(by=float(args.get("upscale_by") or 1), upscaler_1=name))
        pp.info["Postprocess upscale by"] = info["Postprocess upscale by"]
        pp.info["Postprocess upscaler"] = name
