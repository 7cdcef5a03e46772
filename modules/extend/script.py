"""What a script is: the base classes extensions derive from, with A1111's attributes and hooks (platform.md §4.3 of the reference)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any


class _AlwaysVisible:
    def __repr__(self) -> str:
        return "AlwaysVisible"


AlwaysVisible = _AlwaysVisible()
"""What `show` returns for a script that takes part in every job."""

ComponentCallback = tuple[str, Callable[[Any], None]]


class Script:
    """Base of all scripts: one instance for each page, made without arguments.

    `args_from` and `args_to` are its slice of the job's argument vector. Hooks are called for always-on scripts whose
    class overrides them; `run` is called for the script selected in the menu.
    """

    name: str | None = None
    section: str | None = None
    filename: str | None = None
    args_from: int | None = None
    args_to: int | None = None
    alwayson = False
    is_txt2img = False
    is_img2img = False
    tabname: str | None = None
    group: Any = None
    create_group = True
    infotext_fields: Sequence[Any] | None = None
    paste_field_names: Sequence[str] | None = None
    api_info: Any = None
    controls: Sequence[Any] | None = None
    on_before_component_elem_id: list[ComponentCallback] | None = None
    on_after_component_elem_id: list[ComponentCallback] | None = None
    setup_for_ui_only = False
    idle_args: Sequence[Any] | None = None
    """Defaults of the controls, for a script that changes nothing with them: jobs that do not name it need no controls built."""

    def title(self) -> str:
        """The name in the menu and in requests."""
        raise NotImplementedError

    def ui(self, is_img2img: bool) -> Sequence[Any] | None:
        """Create the controls and return them in the order of the arguments."""

    def show(self, is_img2img: bool) -> Any:
        """False: not on this page; True: in the menu; `AlwaysVisible`: part of every job."""
        return True

    def run(self, p: Any, *args: Any) -> Any:
        """Make the pictures of a job whose menu selects this script; returns Processed, or None for the usual way."""

    def setup(self, p: Any, *args: Any) -> None:
        """Called once when the arguments are attached to the request, before anything else."""

    def before_process(self, p: Any, *args: Any) -> None:
        """Called first of all, before the request's settings are laid over the others."""

    def process(self, p: Any, *args: Any) -> None:
        """Called when prompts and seeds of all pictures are known."""

    def before_process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Called for each batch before its networks are parsed; batch_number, prompts, seeds, subseeds."""

    def after_extra_networks_activate(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Called for each batch, and for its second pass, when networks are active; also extra_network_data."""

    def process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Called for each batch before texts are encoded."""

    def process_before_every_sampling(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Called before each sampler run; x, noise, c, uc."""

    def before_hr(self, p: Any, *args: Any) -> None:
        """Called before the second pass."""

    def on_mask_blend(self, p: Any, mba: Any, *args: Any) -> None:
        """Called at each blend along a mask."""

    def post_sample(self, p: Any, ps: Any, *args: Any) -> None:
        """Called with the latents of a batch."""

    def postprocess_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Called with the decoded tensor of a batch; images, batch_number."""

    def postprocess_batch_list(self, p: Any, pp: Any, *args: Any, **kwargs: Any) -> None:
        """Called with the list of decoded pictures of a batch; batch_number."""

    def postprocess_image(self, p: Any, pp: Any, *args: Any) -> None:
        """Called with each picture, before its overlay is pasted."""

    def postprocess_maskoverlay(self, p: Any, ppmo: Any, *args: Any) -> None:
        """Called with the overlay of each picture."""

    def postprocess_image_after_composite(self, p: Any, pp: Any, *args: Any) -> None:
        """Called with each picture when its overlay is pasted."""

    def postprocess(self, p: Any, processed: Any, *args: Any) -> None:
        """Called at the end of the job with everything it made."""

    def before_component(self, component: Any, **kwargs: Any) -> None:
        """Called before each component of the page is created, with the arguments of its constructor."""

    def after_component(self, component: Any, **kwargs: Any) -> None:
        """Called after each component of the page is created."""

    def on_before_component(self, callback: Callable[[Any], None], *, elem_id: str) -> None:
        """Have `callback` called before the component with this id is created."""
        self.on_before_component_elem_id = [*(self.on_before_component_elem_id or ()), (elem_id, callback)]

    def on_after_component(self, callback: Callable[[Any], None], *, elem_id: str) -> None:
        """Have `callback` called after the component with this id is created."""
        self.on_after_component_elem_id = [*(self.on_after_component_elem_id or ()), (elem_id, callback)]

    def describe(self) -> str:
        """Unused; kept for scripts that define it."""
        return ""

    def elem_id(self, item_id: str) -> str:
        """The id of a control of this script, `script_<tab>_<title>_<item>`; the tab only where the script is on both pages."""
        on_both = self.show(True) == self.show(False)
        tab = ("img2img_" if self.is_img2img else "txt2img_") if on_both else ""
        title = re.sub(r"[^a-z_0-9]", "", re.sub(r"\s", "_", self.title().lower()))
        return f"script_{tab}{title}_{item_id}"

    def hr_elem_id(self, item_id: str) -> str:
        """`elem_id` of a control that belongs to the second pass."""
        return self.elem_id(f"hr_{item_id}")


class ScriptBuiltinUI(Script):
    """A part of the page written as a script: its request fields rule in the API, where it is not called."""

    setup_for_ui_only = True

    def elem_id(self, item_id: str) -> str:
        """The id of a control, `<tab>_<item>`."""
        on_both = self.show(True) == self.show(False)
        tab = ("img2img_" if self.is_img2img else "txt2img_") if on_both else ""
        return f"{tab}{item_id}"

    def show(self, is_img2img: bool) -> Any:
        return AlwaysVisible


def overrides(script: Script, method: str) -> bool:
    """True where the script's class defines a hook itself."""
    return getattr(type(script), method, None) is not getattr(Script, method, None)
