"""The steps of the Extras page, in order: which there are, their arguments, running them (platform.md §4.5 of the reference)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from modules.extend.loading import postprocessing_scripts_data
from modules.extend.postprocessed import PostprocessedImage
from modules.extend.postprocessing import ScriptPostprocessing

log = logging.getLogger(__name__)
HIDDEN_IN_EXTRAS = "Simple Upscale"


class ScriptPostprocessingRunner:
    """Instances of all postprocessing scripts.

    A script's arguments are its slice of one vector. Their names come from its controls or, so that a program without a
    page needs no Gradio, from its attribute `arguments`.
    """

    def __init__(self, options: Any) -> None:
        self.options = options
        self.scripts: list[ScriptPostprocessing] = []
        self.ui_created = False

    def initialize_scripts(self, scripts_data: Sequence[Any]) -> None:
        """Make an instance of every script class; one that fails is logged and left out."""
        self.scripts = []
        for data in scripts_data:
            try:
                script = data.script_class()
            except Exception:
                log.exception("the postprocessing script %s of %s could not be created", data.script_class.__name__, data.path)
                continue
            script.filename = data.path
            if script.name != HIDDEN_IN_EXTRAS:
                self.scripts.append(script)

    def load(self) -> None:
        """Take the scripts that the loader found."""
        self.initialize_scripts(postprocessing_scripts_data)

    def scripts_in_preferred_order(self) -> list[ScriptPostprocessing]:
        """The scripts that are not switched off: first by the setting, then by `order`, then by name."""
        wished = {name: place for place, name in enumerate(self.options.postprocessing_operation_order or ())}
        unwanted = set(self.options.postprocessing_disable_in_extras or ())

        def place(script: ScriptPostprocessing) -> tuple[int, float, str]:
            return wished.get(script.name or "", len(wished)), script.order, script.name or ""

        return sorted((script for script in self.scripts if script.name not in unwanted), key=place)

    def setup_ui(self) -> list[Any]:
        """Create the controls of all scripts, inside an open Gradio page; the vector of inputs."""
        inputs: list[Any] = []
        for script in self.scripts_in_preferred_order():
            script.args_from = len(inputs)
            try:
                script.controls = script.ui() or {}
            except Exception:
                log.exception("the controls of the postprocessing script %s could not be built", script.name)
                script.controls = {}
            inputs.extend(script.controls.values())
            script.args_to = len(inputs)
        self.ui_created = True
        return inputs

    @property
    def needs_controls(self) -> bool:
        """True where a script's arguments are known only once its controls are built."""
        return not self.ui_created and any(_names(script) is None for script in self.scripts_in_preferred_order())

    def create_args_for_run(self, scripts_args: Mapping[str, Mapping[str, Any]]) -> list[Any]:
        """The vector of arguments from `{script: {argument: value}}`; what is not given is None."""
        if not self.ui_created:
            self._lay_out()
        scripts = self.scripts_in_preferred_order()
        args: list[Any] = [None] * max((script.args_to or 0 for script in scripts), default=0)
        for script in scripts:
            given = scripts_args.get(script.name or "", {})
            args[script.args_from or 0 : script.args_to or 0] = [given.get(name) for name in _names(script) or ()]
        return args

    def run(self, pp: PostprocessedImage, args: Sequence[Any]) -> None:
        """Take a picture through all steps; what steps make besides passes through the later ones and ends in `pp.extra_images`."""
        steps = [(script, self._arguments(script, args)) for script in self.scripts_in_preferred_order()]
        for script, own in steps:
            script.process_firstpass(pp, **own)
        images = [pp]
        for script, own in steps:
            state = _state()
            if state is not None:
                if state.skipped or state.interrupted:
                    break
                state.job = script.name or ""
            for image in list(images):
                if not image.disable_processing:
                    script.process(image, **own)
                images.extend(extra if isinstance(extra, PostprocessedImage) else image.create_copy(extra) for extra in image.extra_images)
                image.extra_images.clear()
        pp.extra_images = images[1:]

    def image_changed(self) -> None:
        """Tell all scripts that the page shows another picture."""
        for script in self.scripts_in_preferred_order():
            script.image_changed()

    def _lay_out(self) -> None:
        """Give every script its slice by the names of its arguments."""
        end = 0
        for script in self.scripts_in_preferred_order():
            script.args_from, end = end, end + len(_names(script) or ())
            script.args_to = end

    def _arguments(self, script: ScriptPostprocessing, args: Sequence[Any]) -> dict[str, Any]:
        own = args[script.args_from or 0 : script.args_to or 0]
        return dict(zip(_names(script) or (), own, strict=False))


def _names(script: ScriptPostprocessing) -> tuple[str, ...] | None:
    if script.controls is not None:
        return tuple(script.controls)
    known: tuple[str, ...] | None = getattr(script, "arguments", None)
    if known is None and type(script).ui is ScriptPostprocessing.ui:
        return ()
    return known


def _state() -> Any:
    from modules.pipeline.runtime import current  # brings torch

    try:
        return current().state
    except RuntimeError:
        return None
