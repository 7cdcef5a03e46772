"""All scripts of one page: which there are, their slices of the arguments, the selected one, the hooks of the others."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any

from modules.events import ScriptCallback, callbacks
from modules.extend.controls import build_controls, default_of
from modules.extend.dispatch import HookDispatch
from modules.extend.loading import scripts_data
from modules.extend.script import AlwaysVisible, Script, overrides
from modules.pipeline.processing import RequestError

log = logging.getLogger(__name__)

SECTIONS = (
    "prompt",
    "image",
    "inpaint",
    "sampler",
    "accordions",
    "checkboxes",
    "dimensions",
    "cfg",
    "denoising",
    "seed",
    "batch",
    "override_settings",
)
"""Places on the page a script may name, in their usual order; other names come right before `scripts`."""


class ScriptRunner(HookDispatch):
    """The scripts of txt2img or img2img.

    `inputs` is the argument vector: position 0 is the selected script (its number in the menu, from 1; 0 is none), then the
    controls of the scripts. It stays empty until somebody needs controls, since building them takes Gradio.
    """

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.selectable_scripts: list[Script] = []
        self.alwayson_scripts: list[Script] = []
        self.titles: list[str] = []
        self.title_map: dict[str, Script] = {}
        self.infotext_fields: list[Any] = []
        self.paste_field_names: list[str] = []
        self.inputs: list[Any] = [None]
        self.callback_map: dict[str, tuple[list[Script], list[Script]]] = {}
        self.callback_names = [name for name in vars(Script) if callable(getattr(Script, name)) and not name.startswith("_")]
        self.is_img2img = False
        self.controls_built = False

    def initialize_scripts(self, is_img2img: bool) -> None:
        """Make an instance of every script that wants to be on this page."""
        self.__init__()  # type: ignore[misc]
        self.is_img2img = is_img2img
        for data in scripts_data:
            try:
                script = data.script_class()
                script.filename = data.path
                script.is_txt2img, script.is_img2img = not is_img2img, is_img2img
                script.tabname = "img2img" if is_img2img else "txt2img"
                self._take(script, script.show(is_img2img))
            except Exception:
                log.exception("the script %s of %s could not be created", data.script_class.__name__, data.path)

    def _take(self, script: Script, visible: Any) -> None:
        if visible is AlwaysVisible:
            script.alwayson = True
            self.alwayson_scripts.append(script)
        elif visible:
            self.selectable_scripts.append(script)
        else:
            return
        self.scripts.append(script)

    def prepare_ui(self) -> None:
        """Begin the argument vector anew; the menu of scripts has position 0."""
        self.inputs = [None]
        self.infotext_fields, self.paste_field_names = [], []

    def create_script_ui(self, script: Script) -> None:
        """Build the controls of one script where the page is now."""
        build_controls(script, self.inputs)
        self.infotext_fields.extend(script.infotext_fields or ())
        self.paste_field_names.extend(script.paste_field_names or ())

    def setup_ui_for_section(self, section: str | None, scriptlist: Sequence[Script] | None = None) -> None:
        """Build the controls of the always-on scripts (or of those given) that name a section."""
        for script in scriptlist if scriptlist is not None else self.alwayson_scripts:
            if script.section == section:
                self.create_script_ui(script)

    def sections(self) -> list[str]:
        """The sections in the order of the page, with those only scripts know."""
        named = dict.fromkeys(script.section for script in self.alwayson_scripts if script.section)
        return [*SECTIONS, *(name for name in named if name not in SECTIONS)]

    def build_controls(self) -> None:
        """Build every script's controls in the page's order, once; needs Gradio to be imported."""
        if self.controls_built:
            return
        self.prepare_ui()
        for section in [*self.sections(), None]:
            self.setup_ui_for_section(section)
        self.setup_ui_for_section(None, self.selectable_scripts)
        self._update_titles()
        self.controls_built = True

    def _update_titles(self) -> None:
        self.titles = [self._title(script) for script in self.selectable_scripts]
        self.title_map = {title.lower(): script for title, script in zip(self.titles, self.selectable_scripts, strict=True)}

    def _title(self, script: Script) -> str:
        try:
            return script.title()
        except Exception:
            log.exception("the script %s has no title", script.filename)
            return "error"

    def default_args(self) -> list[Any]:
        """The argument vector with the default of every control and no script selected."""
        args: list[Any] = [None] * max([1, *(script.args_to or 0 for script in self.scripts)])
        args[0] = 0
        for script in self.scripts:
            for offset, control in enumerate(script.controls or ()):
                args[(script.args_from or 0) + offset] = default_of(control)
        return args

    def needs_controls(self) -> bool:
        """True where a job that names no script still needs the defaults of one's controls."""
        return any(self._acts(script) and script.idle_args is None for script in self.alwayson_scripts)

    def _acts(self, script: Script) -> bool:
        """True for a script with hooks that reads arguments; one whose class leaves `ui` alone has none."""
        return not script.setup_for_ui_only and overrides(script, "ui") and any(overrides(script, hook) for hook in HOOKS)

    def idle_args(self) -> list[Any]:
        """The argument vector of a job that names no script, where no controls are built; the slices are set to match."""
        args: list[Any] = [0]
        for script in self.scripts:
            script.args_from = len(args)
            args.extend(script.idle_args or ())
            script.args_to = len(args)
        return args

    def script(self, title: str) -> Script | None:
        """The selectable script with this title, upper or lower case."""
        if not self.title_map:
            self._update_titles()
        return self.title_map.get(title.lower())

    def run(self, p: Any, *args: Any) -> Any:
        """Run the selected script; None where none is selected, or where it wants the usual way."""
        if not args or not args[0]:
            return None
        script = self.selectable_scripts[args[0] - 1]
        own = args[script.args_from : script.args_to]
        try:
            inspect.signature(script.run).bind(p, *own)
        except TypeError as error:
            count = len(script.controls or ())
            raise RequestError("script_args", f"{script.title()} takes {count} arguments ({error}); see /sdapi/v1/script-info") from None
        return script.run(p, *own)

    def set_named_arg(self, args: list[Any], script_name: str, arg_elem_id: str, value: Any, fuzzy: bool = False) -> None:
        """Set the argument of a script whose control's id ends with a name (or contains it, if `fuzzy`)."""
        script = next((s for s in self.scripts if self._title(s).lower() == script_name.lower()), None)
        for index, control in enumerate((script.controls or ()) if script else ()):
            elem_id = getattr(control, "elem_id", None) or ""
            if script and (elem_id.endswith(arg_elem_id) or (fuzzy and arg_elem_id in elem_id)):
                args[(script.args_from or 0) + index] = value
                return

    def ordered_scripts(self, method: str) -> list[Script]:
        """The always-on scripts whose class has a hook of its own, in the order in which it is called."""
        alwayson, ordered = self.callback_map.get(method, ([], []))
        # Extensions replace the list of always-on scripts to silence some of them.
        if method not in self.callback_map or alwayson != self.alwayson_scripts:
            ordered = [entry.callback for entry in self.ordered_callbacks(method)]  # type: ignore[misc]
            self.callback_map[method] = list(self.alwayson_scripts), ordered
        return ordered

    def ordered_callbacks(self, method: str) -> list[ScriptCallback]:
        """What `ordered_scripts` is made of: entries with the script as `callback` and its name for the order."""
        category = f"script_{method}"
        found = [
            ScriptCallback(script.filename or "", _as_callback(script), f"{callbacks.name_of_file(script.filename or '')}/{category}")
            for script in self.alwayson_scripts
            if overrides(script, method)
        ]
        return callbacks.order(category, found)

    def reload_sources(self, cache: dict[str, Any]) -> None:
        """Replace every script by an instance of its class as its file reads now; `cache` keeps modules by path."""
        from modules.extend.loading import load_module

        for index, script in enumerate(list(self.scripts)):
            path = script.filename or ""
            cache[path] = cache.get(path) or load_module(path)
            fresh = getattr(cache[path], type(script).__name__, None)
            if fresh is None:
                continue
            replacement = fresh()
            vars(replacement).update(vars(script))
            for listed in (self.selectable_scripts, self.alwayson_scripts):
                listed[:] = [replacement if entry is script else entry for entry in listed]
            self.scripts[index] = replacement
        self.callback_map.clear()


def _as_callback(script: Script) -> Callable[..., Any]:
    return script  # type: ignore[return-value]


HOOKS = (
    "setup",
    "before_process",
    "process",
    "before_process_batch",
    "after_extra_networks_activate",
    "process_batch",
    "process_before_every_sampling",
    "before_hr",
    "on_mask_blend",
    "post_sample",
    "postprocess_batch",
    "postprocess_batch_list",
    "postprocess_image",
    "postprocess_maskoverlay",
    "postprocess_image_after_composite",
    "postprocess",
)
"""The hooks of a job."""
