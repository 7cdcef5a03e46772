"""Settings chosen by the user, shown on the generation pages and laid over the others for each job."""

from __future__ import annotations

import math

from modules import scripts, shared


class ExtraOptionsSection(scripts.Script):
    """The settings `extra_options_txt2img` and `extra_options_img2img` name."""

    section = "extra_options"
    idle_args = ()

    def __init__(self):
        self.setting_names = []

    def title(self):
        return "Extra options"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        import gradio as gr

        chosen = shared.opts.extra_options_img2img if is_img2img else shared.opts.extra_options_txt2img
        self.setting_names = [name for name in chosen if name in shared.opts.data_labels]
        columns = max(1, int(shared.opts.extra_options_cols))
        place = gr.Accordion("Options", open=False) if shared.opts.extra_options_accordion else gr.Group()
        controls = []
        with place if self.setting_names else gr.Group(visible=False):
            for row in range(math.ceil(len(self.setting_names) / columns)):
                with gr.Row():
                    for name in self.setting_names[row * columns : (row + 1) * columns]:
                        with gr.Column():
                            controls.append(setting_control(name))
        return controls

    def before_process(self, p, *args):
        for name, value in zip(self.setting_names, args, strict=False):
            if name not in p.override_settings and value is not None:
                p.override_settings[name] = value


def setting_control(name):
    """A control for a setting, with the value in force."""
    import gradio as gr

    option = shared.opts.schema[name]
    value, control = getattr(shared.opts, name), option.control
    common = {"label": option.label or name, "value": value, "elem_id": f"extra_options_{name}"}
    if control.kind == "slider":
        return gr.Slider(control.minimum, control.maximum, step=control.step, **common)
    if control.kind == "checkbox":
        return gr.Checkbox(**common)
    if control.kind == "number":
        return gr.Number(precision=0 if control.whole else None, **common)
    if control.kind == "radio" and control.choices:
        return gr.Radio(list(control.choices), **common)
    if control.kind in ("dropdown", "combobox", "multiselect", "checkboxes"):
        many = control.kind in ("multiselect", "checkboxes")
        return gr.Dropdown(list(control.choices) or None, multiselect=many, allow_custom_value=True, **common)
    return gr.Textbox(**common)
