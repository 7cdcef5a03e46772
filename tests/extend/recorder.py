"""An extension that writes down every hook and callback of a job; tests copy it into a data folder's `extensions`."""

from __future__ import annotations

from modules import script_callbacks, scripts
from modules.processing import process_images
from modules.scripts_postprocessing import ScriptPostprocessing

RECORD = []
METHODS = (
    "setup", "before_process", "process", "before_process_batch", "after_extra_networks_activate", "process_batch",
    "process_before_every_sampling", "before_hr", "postprocess_batch", "postprocess_batch_list", "postprocess",
    "post_sample", "on_mask_blend", "postprocess_image", "postprocess_maskoverlay", "postprocess_image_after_composite",
)  # fmt: skip
CALLBACKS = (
    "cfg_denoiser", "cfg_denoised", "cfg_after_cfg", "extra_noise", "before_image_saved", "image_saved", "image_grid",
    "model_loaded", "infotext_pasted",
)  # fmt: skip
DTYPES = {"torch.float32": "f32", "torch.float64": "f64", "torch.int64": "i64"}


def described(value):
    """A value's type and shape, as the recordings write them."""
    if value is None:
        return "None"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return f"{type(value).__name__} {value}"
    if type(value).__name__ == "Tensor":
        return f"Tensor{list(value.shape)}:{DTYPES.get(str(value.dtype), value.dtype)}"
    if hasattr(value, "mode") and hasattr(value, "size"):
        return f"PIL.{value.mode}{value.size}"
    if isinstance(value, list):
        return f"{type(value).__name__}[{len(value)}]<{'|'.join(dict.fromkeys(map(described_type, value)))}>"
    return type(value).__name__


def described_type(value):
    return type(value).__name__ if isinstance(value, str | int) else described(value)


def note(name, fields):
    RECORD.append((name, {key: described(value) for key, value in fields.items()}))


def fields_of(thing):
    return vars(thing) if hasattr(thing, "__dict__") and not hasattr(thing, "n_iter") and not hasattr(thing, "infotexts") else {}


class Recorder(scripts.Script):
    """Records; its two controls have defaults that the tests look at."""

    seen = []

    def title(self):
        return "ZZ Recorder"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        import gradio as gr

        return [gr.Checkbox(label="Enabled", value=True), gr.Textbox(label="Words", value="default")]


def recording(name):
    def hook(self, p, *args, **kwargs):
        things = [arg for arg in args if type(arg).__name__.endswith("Args")]
        if name == "setup":
            Recorder.seen.append([arg for arg in args if arg not in things])
        note(name, {**{key: value for thing in things for key, value in fields_of(thing).items()}, **kwargs})

    return hook


for method in METHODS:
    setattr(Recorder, method, recording(method))


class Runner(scripts.Script):
    """A selectable script that does the usual thing."""

    def title(self):
        return "ZZ Runner"

    def ui(self, is_img2img):
        import gradio as gr

        return [gr.Slider(1, 5, value=1, step=1, label="Times"), gr.Textbox(label="Mark", value="")]

    def run(self, p, times, mark):
        note("selected:run", {})
        return process_images(p)


def listening(name):
    def callback(*args):
        note(f"on_{name}", fields_of(args[0]) if type(args[0]).__name__.endswith("Params") else {})

    return callback


for name in CALLBACKS:
    getattr(script_callbacks, f"on_{name}")(listening(name))


class RecordedStep(ScriptPostprocessing):
    """A step of the Extras page."""

    name = "ZZ Step"
    order = 9000

    def ui(self):
        return {}

    def process_firstpass(self, pp):
        note("post:process_firstpass", {})

    def process(self, pp):
        note("post:process", {})


class Broken(scripts.Script):
    """Every hook raises; nobody may notice but the log."""

    def title(self):
        return "ZZ Broken"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def process(self, p, *args):
        raise RuntimeError("broken on purpose")

    def postprocess(self, p, processed, *args):
        raise RuntimeError("broken on purpose")
