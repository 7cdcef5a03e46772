"""Soft Inpainting: an always-on script of img2img; the arithmetic is in `modules/pipeline/soft_inpainting.py`."""

from __future__ import annotations

from typing import Any

from modules.extend.script import AlwaysVisible, Script
from modules.pipeline.soft_inpainting import SoftInpainting, blend_latents, difference_masks, mask_at, original_overlays

DEFAULTS = SoftInpainting()
LABELS = (
    # label, id, minimum, maximum, step, what it does
    ("Schedule bias", "mask_blend_power", 0, 8, 0.1, "Above 1 the grey parts open late, below 1 early."),
    ("Preservation strength", "mask_blend_scale", 0, 8, 0.05, "The higher, the more of the picture stays under grey."),
    ("Transition contrast boost", "inpaint_detail_preservation", 1, 32, 0.5, "Makes up for the dullness that mixing two pictures brings."),
    ("Mask influence", "composite_mask_influence", 0, 1, 0.05, "1: dark parts of the mask must change more to be replaced."),
    (
        "Difference threshold",
        "composite_difference_threshold",
        0,
        8,
        0.25,
        "How different a spot has to be to be taken from the new picture.",
    ),
    ("Difference contrast", "composite_difference_contrast", 0, 8, 0.25, "How hard the edge between old and new is."),
)
KEYS = [key for key in DEFAULTS.infotext() if key != "Soft inpainting enabled"]


class SoftInpaintingScript(Script):
    section = "inpaint"
    idle_args = (False, *vars(DEFAULTS).values())

    def title(self) -> str:
        return "Soft Inpainting"

    def show(self, is_img2img: bool) -> Any:
        return AlwaysVisible if is_img2img else False

    def ui(self, is_img2img: bool) -> list[Any] | None:
        if not is_img2img:
            return None
        import gradio as gr

        with gr.Accordion("Soft inpainting", open=False, elem_id="soft_inpainting"):
            enabled = gr.Checkbox(False, label="Soft inpainting", elem_id="soft_inpainting_enabled")
            gr.Markdown("Grey in the mask means: change a little. Use a mask blur of 16 or more.")
            sliders = [
                gr.Slider(low, high, value=value, step=step, label=label, info=info, elem_id=name)
                for (label, name, low, high, step, info), value in zip(LABELS, vars(DEFAULTS).values(), strict=True)
            ]
        self.infotext_fields = [(enabled, "Soft inpainting enabled"), *zip(sliders, KEYS, strict=True)]
        self.paste_field_names = ["Soft inpainting enabled", *KEYS]
        return [enabled, *sliders]

    def process(self, p: Any, enabled: bool = False, *args: Any) -> None:
        p.soft_inpainting_overlays = []
        if enabled and p.image_mask is not None:
            p.mask_round = False
            p.extra_generation_params.update(SoftInpainting(*args).infotext())

    def on_mask_blend(self, p: Any, mba: Any, enabled: bool = False, *args: Any) -> None:
        if not enabled:
            return
        if mba.is_final_blend:
            mba.blended_latent = mba.current_latent
            return
        settings = SoftInpainting(*args)
        share = mask_at(settings, mba.nmask, mba.sigma[0])
        mba.blended_latent = blend_latents(settings, mba.init_latent, mba.current_latent, share)

    def post_sample(self, p: Any, ps: Any, enabled: bool = False, *args: Any) -> None:
        if not enabled or p.nmask is None or getattr(ps.samples, "already_decoded", False):
            return
        options = p.run.settings
        upscale = p.run.upscaler(options.upscaler_for_img2img)
        overlays = original_overlays(p, upscale, options.img2img_background_color)
        masks, overlays = difference_masks(
            SoftInpainting(*args), p.nmask, p.init_latent, ps.samples, overlays, (p.width, p.height), p.paste_to, upscale
        )
        p.soft_inpainting_overlays = list(zip(masks, overlays, strict=True))

    def postprocess_maskoverlay(self, p: Any, ppmo: Any, enabled: bool = False, *args: Any) -> None:
        if enabled and ppmo.index < len(p.soft_inpainting_overlays):
            ppmo.mask_for_overlay, ppmo.overlay_image = p.soft_inpainting_overlays[ppmo.index]
