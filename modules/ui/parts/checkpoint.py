"""The checkpoint menu above the tabs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from modules.ui.defaults import selected_checkpoint
from modules.ui.parts.tools import tool_button

if TYPE_CHECKING:
    from modules.engine.engine import Engine


@dataclass
class CheckpointMenu:
    dropdown: gr.Dropdown
    refresh: gr.Button


def checkpoint_menu(engine: Engine) -> CheckpointMenu:
    """Build the menu; what it offers is read anew whenever the page is opened."""

    def fresh() -> Any:
        return gr.Dropdown(choices=titles(engine), value=selected_title(engine))

    def look_again() -> Any:
        engine.checkpoints.refresh()
        return fresh()

    with gr.Row(elem_id="quicksettings", variant="compact"):
        dropdown = gr.Dropdown(
            label="Stable Diffusion checkpoint",
            choices=titles(engine),
            value=selected_title(engine),
            elem_id="setting_sd_model_checkpoint",
            scale=0,
            min_width=360,
        )
        refresh = tool_button("🔄", "refresh_sd_model_checkpoint")
    refresh.click(look_again, outputs=dropdown, show_progress="hidden", queue=False, api_visibility="private")
    gr.on([current_blocks().load], fresh, outputs=dropdown, show_progress="hidden", queue=False, api_visibility="private")
    return CheckpointMenu(dropdown, refresh)


def connect_size(menu: CheckpointMenu, engine: Engine, width: gr.Slider, height: gr.Slider) -> None:
    """Select the checkpoint, and let an untouched size follow it."""

    def select(title: str | None, now_width: float, now_height: float) -> tuple[Any, Any]:
        before = engine.default_size()
        choose(engine, title)
        after = engine.default_size()
        if (now_width, now_height) != before or before == after:
            return gr.skip(), gr.skip()
        return after

    menu.dropdown.input(
        select,
        inputs=[menu.dropdown, width, height],
        outputs=[width, height],
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_limit=None,
        api_visibility="private",
    )


def choose(engine: Engine, title: str | None) -> None:
    """Make a checkpoint the selected one, remember it, and begin to load it."""
    if not title or title == engine.options.sd_model_checkpoint:
        return
    engine.options.set("sd_model_checkpoint", title)
    engine.options.save()
    engine.start_loading()


def titles(engine: Engine) -> list[str]:
    return [info.title for info in engine.checkpoints.list()]


def selected_title(engine: Engine) -> str | None:
    info = selected_checkpoint(engine)
    return info.title if info is not None else None


def current_blocks() -> gr.Blocks:
    """The page being built."""
    from gradio.context import Context

    blocks = Context.root_block
    assert isinstance(blocks, gr.Blocks), "parts are built inside a gr.Blocks"
    return blocks
