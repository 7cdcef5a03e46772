"""Seed, variation seed, seed resizing."""

from __future__ import annotations

from typing import Any

from modules.extend.script import ScriptBuiltinUI


class ScriptSeed(ScriptBuiltinUI):
    """Where the noise comes from."""

    section = "seed"
    create_group = False

    def title(self) -> str:
        return "Seed"

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        def number(label: str, name: str) -> Any:
            return gr.Number(label=label, value=-1, step=1, precision=0, elem_id=self.elem_id(name), min_width=100)

        def slider(label: str, name: str, maximum: float, step: float, value: float) -> Any:
            return gr.Slider(0, maximum, value=value, step=step, label=label, elem_id=self.elem_id(name))

        with gr.Row(elem_id=self.elem_id("seed_row")):
            seed = number("Seed", "seed")
            extra = gr.Checkbox(label="Extra", value=False, elem_id=self.elem_id("subseed_show"))
        with gr.Row(visible=False, elem_id=self.elem_id("subseed_row")):
            subseed = number("Variation seed", "subseed")
            strength = slider("Variation strength", "subseed_strength", 1, 0.01, 0.0)
            from_w = slider("Resize seed from width", "seed_resize_from_w", 2048, 8, 0)
            from_h = slider("Resize seed from height", "seed_resize_from_h", 2048, 8, 0)
        self.infotext_fields = [
            (seed, "Seed"),
            (extra, lambda fields: "Variation seed" in fields or "Seed resize from-1" in fields),
            (subseed, "Variation seed"),
            (strength, "Variation seed strength"),
            (from_w, "Seed resize from-1"),
            (from_h, "Seed resize from-2"),
        ]
        return [seed, extra, subseed, strength, from_w, from_h]

    def setup(  # type: ignore[override]
        self, p: Any, seed: int, extra: bool, subseed: int, strength: float, resize_from_w: int, resize_from_h: int
    ) -> None:
        p.seed = seed
        if not extra:
            return
        if strength > 0:
            p.subseed, p.subseed_strength = subseed, strength
        if resize_from_w > 0 and resize_from_h > 0:
            p.seed_resize_from_w, p.seed_resize_from_h = resize_from_w, resize_from_h
