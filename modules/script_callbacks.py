"""Callbacks of extensions: `on_<event>(callback, *, name=None)` registers, `<event>_callback(...)` fires (platform.md §4.4)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from modules.events import AfterCFGCallbackParams as AfterCFGCallbackParams
from modules.events import BeforeTokenCounterParams as BeforeTokenCounterParams
from modules.events import CFGDenoisedParams as CFGDenoisedParams
from modules.events import CFGDenoiserParams as CFGDenoiserParams
from modules.events import ExtraNoiseParams as ExtraNoiseParams
from modules.events import ImageGridLoopParams as ImageGridLoopParams
from modules.events import ImageSaveParams as ImageSaveParams
from modules.events import ScriptCallback as ScriptCallback
from modules.events import UiTrainTabParams as UiTrainTabParams
from modules.events import callbacks

callback_map = callbacks.map
"""`callbacks_<category>` to the list of its callbacks."""

Callback = Callable[..., Any]


def on_app_started(callback: Callback, *, name: str | None = None) -> None:
    """`callback(demo, app)` once the server runs, and after each reload of the page."""
    callbacks.add("app_started", callback, name)


def on_before_reload(callback: Callback, *, name: str | None = None) -> None:
    """`callback()` before the page is reloaded."""
    callbacks.add("on_reload", callback, name)


def on_model_loaded(callback: Callback, *, name: str | None = None) -> None:
    """`callback(sd_model)` whenever another checkpoint becomes active."""
    callbacks.add("model_loaded", callback, name)


def on_ui_tabs(callback: Callback, *, name: str | None = None) -> None:
    """`callback()` returns a list of (blocks, title, elem_id) for new tabs."""
    callbacks.add("ui_tabs", callback, name)


def on_ui_train_tabs(callback: Callback, *, name: str | None = None) -> None:
    """`callback(UiTrainTabParams)` while the Train page is built."""
    callbacks.add("ui_train_tabs", callback, name)


def on_ui_settings(callback: Callback, *, name: str | None = None) -> None:
    """`callback()` adds settings with `shared.opts.add_option`."""
    callbacks.add("ui_settings", callback, name)


def on_before_image_saved(callback: Callback, *, name: str | None = None) -> None:
    """`callback(ImageSaveParams)` before a picture is written; everything may be changed."""
    callbacks.add("before_image_saved", callback, name)


def on_image_saved(callback: Callback, *, name: str | None = None) -> None:
    """`callback(ImageSaveParams)` after a picture was written."""
    callbacks.add("image_saved", callback, name)


def on_extra_noise(callback: Callback, *, name: str | None = None) -> None:
    """`callback(ExtraNoiseParams)` before extra noise is added."""
    callbacks.add("extra_noise", callback, name)


def on_cfg_denoiser(callback: Callback, *, name: str | None = None) -> None:
    """`callback(CFGDenoiserParams)` before each evaluation of the network."""
    callbacks.add("cfg_denoiser", callback, name)


def on_cfg_denoised(callback: Callback, *, name: str | None = None) -> None:
    """`callback(CFGDenoisedParams)` after each evaluation of the network."""
    callbacks.add("cfg_denoised", callback, name)


def on_cfg_after_cfg(callback: Callback, *, name: str | None = None) -> None:
    """`callback(AfterCFGCallbackParams)` after guidance."""
    callbacks.add("cfg_after_cfg", callback, name)


def on_before_component(callback: Callback, *, name: str | None = None) -> None:
    """`callback(component, **kwargs)` before each component of the page is created."""
    callbacks.add("before_component", callback, name)


def on_after_component(callback: Callback, *, name: str | None = None) -> None:
    """`callback(component, **kwargs)` after each component of the page is created."""
    callbacks.add("after_component", callback, name)


def on_image_grid(callback: Callback, *, name: str | None = None) -> None:
    """`callback(ImageGridLoopParams)` before a grid is put together."""
    callbacks.add("image_grid", callback, name)


def on_infotext_pasted(callback: Callback, *, name: str | None = None) -> None:
    """`callback(infotext, params)` when an infotext was parsed for the page or for png-info; `params` may be changed."""
    callbacks.add("infotext_pasted", callback, name)


def on_script_unloaded(callback: Callback, *, name: str | None = None) -> None:
    """`callback()` before scripts are loaded anew; clean up here."""
    callbacks.add("script_unloaded", callback, name)


def on_before_ui(callback: Callback, *, name: str | None = None) -> None:
    """`callback()` before the page is built."""
    callbacks.add("before_ui", callback, name)


def on_list_optimizers(callback: Callback, *, name: str | None = None) -> None:
    """`callback(list)` appends attention optimizations."""
    callbacks.add("list_optimizers", callback, name)


def on_list_unets(callback: Callback, *, name: str | None = None) -> None:
    """`callback(list)` appends UNet replacements."""
    callbacks.add("list_unets", callback, name)


def on_before_token_counter(callback: Callback, *, name: str | None = None) -> None:
    """`callback(BeforeTokenCounterParams)` before tokens of a text are counted."""
    callbacks.add("before_token_counter", callback, name)


_DISPATCHERS = {
    "app_started_callback": "app_started",
    "app_reload_callback": "on_reload",
    "model_loaded_callback": "model_loaded",
    "ui_train_tabs_callback": "ui_train_tabs",
    "ui_settings_callback": "ui_settings",
    "before_image_saved_callback": "before_image_saved",
    "image_saved_callback": "image_saved",
    "extra_noise_callback": "extra_noise",
    "cfg_denoiser_callback": "cfg_denoiser",
    "cfg_denoised_callback": "cfg_denoised",
    "cfg_after_cfg_callback": "cfg_after_cfg",
    "before_component_callback": "before_component",
    "after_component_callback": "after_component",
    "image_grid_callback": "image_grid",
    "infotext_pasted_callback": "infotext_pasted",
    "script_unloaded_callback": "script_unloaded",
    "before_ui_callback": "before_ui",
    "before_token_counter_callback": "before_token_counter",
}


def __getattr__(name: str) -> Any:
    if name in _DISPATCHERS:
        category = _DISPATCHERS[name]
        return lambda *args, **kwargs: callbacks.fire(category, *args, **kwargs) and None
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def ui_tabs_callback() -> list[Any]:
    """The tabs of all extensions."""
    return [tab for tabs in callbacks.fire("ui_tabs") for tab in tabs or ()]


def list_optimizers_callback() -> list[Any]:
    """The attention optimizations of all extensions."""
    found: list[Any] = []
    callbacks.fire("list_optimizers", found)
    return found


def list_unets_callback() -> list[Any]:
    """The UNet replacements of all extensions."""
    found: list[Any] = []
    callbacks.fire("list_unets", found)
    return found


def clear_callbacks() -> None:
    """Forget all callbacks."""
    callbacks.clear()


def remove_current_script_callbacks() -> None:
    """Forget the callbacks that the calling file registered."""
    file = sys._getframe(1).f_code.co_filename
    callbacks.remove(lambda entry: os.path.normpath(entry.script) == os.path.normpath(file))


def remove_callbacks_for_function(callback_func: Callback) -> None:
    """Forget a callback wherever it is registered."""
    callbacks.remove(lambda entry: entry.callback == callback_func)
