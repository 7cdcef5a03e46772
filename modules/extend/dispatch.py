"""Calling the hooks of the always-on scripts, each with its slice of the arguments; none of them can break the job."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from modules.events import OnComponent
from modules.extend.script import Script

log = logging.getLogger(__name__)


class HookDispatch:
    """One method for each hook, under the hook's name; `ordered_scripts` says who is called, in which order."""

    scripts: list[Script]

    def ordered_scripts(self, method: str) -> list[Script]:
        raise NotImplementedError

    def _each(self, hook: str, p: Any, call: Callable[[Any, list[Any]], object]) -> None:
        for script in self.ordered_scripts(hook):
            try:
                call(script, list(p.script_args[script.args_from : script.args_to]))
            except Exception:
                log.exception("%s of the script %s failed", hook, script.filename)

    def before_process(self, p: Any) -> None:
        self._each("before_process", p, lambda script, args: script.before_process(p, *args))

    def process(self, p: Any) -> None:
        self._each("process", p, lambda script, args: script.process(p, *args))

    def process_before_every_sampling(self, p: Any, **kwargs: Any) -> None:
        self._each("process_before_every_sampling", p, lambda script, args: script.process_before_every_sampling(p, *args, **kwargs))

    def before_process_batch(self, p: Any, **kwargs: Any) -> None:
        self._each("before_process_batch", p, lambda script, args: script.before_process_batch(p, *args, **kwargs))

    def after_extra_networks_activate(self, p: Any, **kwargs: Any) -> None:
        self._each("after_extra_networks_activate", p, lambda script, args: script.after_extra_networks_activate(p, *args, **kwargs))

    def process_batch(self, p: Any, **kwargs: Any) -> None:
        self._each("process_batch", p, lambda script, args: script.process_batch(p, *args, **kwargs))

    def before_hr(self, p: Any) -> None:
        self._each("before_hr", p, lambda script, args: script.before_hr(p, *args))

    def on_mask_blend(self, p: Any, mba: Any) -> None:
        self._each("on_mask_blend", p, lambda script, args: script.on_mask_blend(p, mba, *args))

    def post_sample(self, p: Any, ps: Any) -> None:
        self._each("post_sample", p, lambda script, args: script.post_sample(p, ps, *args))

    def postprocess_batch(self, p: Any, images: Any, **kwargs: Any) -> None:
        self._each("postprocess_batch", p, lambda script, args: script.postprocess_batch(p, *args, images=images, **kwargs))

    def postprocess_batch_list(self, p: Any, pp: Any, **kwargs: Any) -> None:
        self._each("postprocess_batch_list", p, lambda script, args: script.postprocess_batch_list(p, pp, *args, **kwargs))

    def postprocess_image(self, p: Any, pp: Any) -> None:
        self._each("postprocess_image", p, lambda script, args: script.postprocess_image(p, pp, *args))

    def postprocess_maskoverlay(self, p: Any, ppmo: Any) -> None:
        self._each("postprocess_maskoverlay", p, lambda script, args: script.postprocess_maskoverlay(p, ppmo, *args))

    def postprocess_image_after_composite(self, p: Any, pp: Any) -> None:
        self._each("postprocess_image_after_composite", p, lambda script, args: script.postprocess_image_after_composite(p, pp, *args))

    def postprocess(self, p: Any, processed: Any) -> None:
        self._each("postprocess", p, lambda script, args: script.postprocess(p, processed, *args))

    def setup_scrips(self, p: Any, is_ui: bool = True) -> None:
        """Call `setup`; without the page not for scripts that are a part of it. (The spelling is A1111's.)"""
        for script in self.ordered_scripts("setup"):
            if script.setup_for_ui_only and not is_ui:
                continue
            try:
                script.setup(p, *p.script_args[script.args_from : script.args_to])
            except Exception:
                log.exception("setup of the script %s failed", script.filename)

    def before_component(self, component: Any, **kwargs: Any) -> None:
        """Tell every script of the page, selectable ones too, that a component is about to be created."""
        self._component("before_component", "on_before_component_elem_id", component, kwargs)

    def after_component(self, component: Any, **kwargs: Any) -> None:
        """Tell every script of the page that a component was created."""
        self._component("after_component", "on_after_component_elem_id", component, kwargs)

    def _component(self, hook: str, by_id: str, component: Any, kwargs: dict[str, Any]) -> None:
        for script in self.scripts:
            try:
                getattr(script, hook)(component, **kwargs)
                for elem_id, callback in getattr(script, by_id) or ():
                    if elem_id == kwargs.get("elem_id"):
                        callback(OnComponent(component))
            except Exception:
                log.exception("%s of the script %s failed", hook, script.filename)
