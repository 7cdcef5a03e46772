"""The refiner's controls."""

from __future__ import annotations

from typing import Any

from modules.extend import host
from modules.extend.script import ScriptBuiltinUI


class ScriptRefiner(ScriptBuiltinUI):
    """Which checkpoint takes over, and when."""

    section = "accordions"
    create_group = False

    def title(self) -> str:
        return "Refiner"

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        from modules.extend.components import InputAccordion

        with InputAccordion(False, label="Refiner", elem_id=self.elem_id("enable")) as enable, gr.Row():
            names = [info.title for info in host.current().engine.checkpoints.list()]
            checkpoint = gr.Dropdown(
                ["", *names], value="", label="Checkpoint", elem_id=self.elem_id("checkpoint"), info="The model that finishes the picture"
            )
            checkpoint.choices = [(name, name) for name in names]
            switch = gr.Slider(0.01, 1.0, value=0.8, step=0.01, label="Switch at", elem_id=self.elem_id("switch_at"))
        self.infotext_fields = [
            (enable, lambda fields: "Refiner" in fields),
            (checkpoint, lambda fields: _full_title(fields.get("Refiner"))),
            (switch, "Refiner switch at"),
        ]
        return [enable, checkpoint, switch]

    def setup(self, p: Any, enable_refiner: bool, refiner_checkpoint: str | None, refiner_switch_at: float) -> None:  # type: ignore[override]
        on = enable_refiner and refiner_checkpoint not in (None, "", "None")
        p.refiner_checkpoint = refiner_checkpoint if on else None
        p.refiner_switch_at = refiner_switch_at if on else None


def _full_title(name: str | None) -> str:
    info = host.current().engine.checkpoints.find(name) if name else None
    return info.title if info else "None"
