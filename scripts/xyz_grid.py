"""X/Y/Z plot: the same request over the values of up to three axes. Extensions add to `axis_options`."""

from __future__ import annotations

import os

from modules import images, scripts, sd_models, sd_samplers, sd_schedulers, sd_vae, shared
from modules.extend.plot import Axis, Plot, str_permutations
from modules.pipeline.processing import RequestError
from modules.processing import fix_seed
from modules.shared import opts

fill_values_symbol = "\U0001f4d2"


class AxisOption:
    """One axis: its label, the type of its values, and what a value does to a request.

    `apply(p, x, xs)`, `format_value(p, option, x)`, `confirm(p, xs)` raising for bad values, `choices()` listing good ones,
    `prepare(text)` in place of splitting at commas; `cost` from 0 to 1 says how long a change of value takes.
    """

    def __init__(self, label, type, apply, format_value=None, confirm=None, cost=0.0, choices=None, prepare=None):
        self.label, self.type, self.apply = label, type, apply
        self.format_value = format_value or format_value_add_label
        self.confirm, self.cost, self.choices, self.prepare = confirm, cost, choices, prepare


class AxisOptionImg2Img(AxisOption):
    """An axis of img2img."""

    is_img2img = True


class AxisOptionTxt2Img(AxisOption):
    """An axis of txt2img."""

    is_img2img = False


def do_nothing(p, x, xs):
    """The axis that is none."""


def format_nothing(p, opt, x):
    """No label."""
    return ""


def _rounded(x):
    return round(x, 8) if type(x) is float else x


def format_value_add_label(p, opt, x):
    """`Label: value`."""
    return f"{opt.label}: {_rounded(x)}"


def format_value(p, opt, x):
    """The value alone."""
    return _rounded(x)


def format_value_join_list(p, opt, x):
    """The words of a list."""
    return ", ".join(x)


def format_remove_path(p, opt, x):
    """A file's name without its folder."""
    return os.path.basename(x)


def apply_field(field):
    """A function that sets a field of the request."""

    def apply(p, x, xs):
        setattr(p, field, x)

    return apply


def apply_override(field, boolean=False):
    """A function that sets a setting for the job."""

    def apply(p, x, xs):
        p.override_settings[field] = str(x).lower() == "true" if boolean else x

    return apply


def boolean_choice(reverse=False):
    """A function that lists True and False."""
    return lambda: ["False", "True"] if reverse else ["True", "False"]


def apply_prompt(p, x, xs):
    """Replace the first value by another in both prompts."""
    if xs[0] not in p.prompt and xs[0] not in p.negative_prompt:
        raise RequestError("script_args", f"Prompt S/R did not find '{xs[0]}' in prompt or negative prompt")
    p.prompt, p.negative_prompt = p.prompt.replace(xs[0], x), p.negative_prompt.replace(xs[0], x)


def apply_order(p, x, xs):
    """Put words of the prompt into another order, at the places where they are."""
    rest, parts = p.prompt, []
    for _, word in sorted((p.prompt.find(word), word) for word in x):
        position = rest.find(word)
        parts.append(rest[:position])
        rest = rest[position + len(word) :]
    p.prompt = "".join(part + word for part, word in zip(parts, x, strict=True)) + rest


def apply_checkpoint(p, x, xs):
    """Another checkpoint."""
    info = sd_models.get_closet_checkpoint_match(x)
    if info is None:
        raise RequestError("script_args", f"Unknown checkpoint: {x}")
    p.override_settings["sd_model_checkpoint"] = info.name


def apply_vae(p, x, xs):
    """Another VAE; an unknown one means Automatic."""
    names = {"auto": "Automatic", "automatic": "Automatic", "none": "None"} | {name.lower(): name for name in sd_vae.vae_dict}
    p.override_settings["sd_vae"] = names.get(x.lower(), "Automatic")


def apply_styles(p, x, xs):
    """More styles, names separated by commas."""
    p.styles = [*p.styles, *x.split(",")]


def apply_uni_pc_order(p, x, xs):
    """UniPC's order, below the number of steps."""
    p.override_settings["uni_pc_order"] = min(x, p.steps - 1)


def apply_face_restore(p, x, xs):
    """Face restoration on, off, or by a model's name."""
    models = {"codeformer": "CodeFormer", "gfpgan": "GFPGAN"}
    if x.lower() in models:
        p.override_settings["face_restoration_model"] = models[x.lower()]
    p.restore_faces = x.lower() in (*models, "true", "yes", "y", "1")


def apply_size(p, x, xs):
    """`<width>x<height>`."""
    try:
        p.width, p.height = (int(part) for part in x.lower().split("x"))
    except ValueError:
        raise RequestError("script_args", f"'{x}' is no size; write <width>x<height>, such as 512x768") from None


def confirm_samplers(p, xs):
    """Raise for a sampler that does not exist."""
    for x in xs:
        if x.lower() not in sd_samplers.samplers_map:
            raise RequestError("script_args", f"Unknown sampler: {x}")


def confirm_checkpoints(p, xs):
    """Raise for a checkpoint that does not exist."""
    for x in xs:
        if sd_models.get_closet_checkpoint_match(x) is None:
            raise RequestError("script_args", f"Unknown checkpoint: {x}")


def confirm_checkpoints_or_none(p, xs):
    """Raise for a checkpoint that does not exist; None is fine."""
    confirm_checkpoints(p, [x for x in xs if x not in (None, "", "None", "none")])


def confirm_range(min_val, max_val, axis_label):
    """A function that raises for a value outside of a range."""

    def confirm(p, xs):
        for x in xs:
            if not min_val <= x <= max_val:
                raise RequestError("script_args", f'{axis_label} value "{x}" out of range [{min_val}, {max_val}]')

    return confirm


def _checkpoints():
    return sorted(sd_models.checkpoints_list, key=str.casefold)


def _samplers():
    return sd_samplers.visible_sampler_names()


def _hires_upscalers():
    return [*shared.latent_upscale_modes, *(upscaler.name for upscaler in shared.sd_upscalers)]


def _schedules():
    return [schedule.label for schedule in sd_schedulers.schedulers]


_NAMED = {"confirm": confirm_samplers, "choices": _samplers}

axis_options = [
    AxisOption("Nothing", str, do_nothing, format_value=format_nothing),
    AxisOption("Seed", int, apply_field("seed")),
    AxisOption("Var. seed", int, apply_field("subseed")),
    AxisOption("Var. strength", float, apply_field("subseed_strength")),
    AxisOption("Steps", int, apply_field("steps")),
    AxisOptionTxt2Img("Hires steps", int, apply_field("hr_second_pass_steps")),
    AxisOption("CFG Scale", float, apply_field("cfg_scale")),
    AxisOptionImg2Img("Image CFG Scale", float, apply_field("image_cfg_scale")),
    AxisOption("Prompt S/R", str, apply_prompt, format_value=format_value),
    AxisOption("Prompt order", str_permutations, apply_order, format_value=format_value_join_list),
    AxisOptionTxt2Img("Sampler", str, apply_field("sampler_name"), format_value=format_value, **_NAMED),
    AxisOptionTxt2Img("Hires sampler", str, apply_field("hr_sampler_name"), **_NAMED),
    AxisOptionImg2Img("Sampler", str, apply_field("sampler_name"), format_value=format_value, **_NAMED),
    AxisOption("Checkpoint name", str, apply_checkpoint, format_remove_path, confirm_checkpoints, 1.0, _checkpoints),
    AxisOption("Negative Guidance minimum sigma", float, apply_field("s_min_uncond")),
    AxisOption("Sigma Churn", float, apply_field("s_churn")),
    AxisOption("Sigma min", float, apply_field("s_tmin")),
    AxisOption("Sigma max", float, apply_field("s_tmax")),
    AxisOption("Sigma noise", float, apply_field("s_noise")),
    AxisOption("Schedule type", str, apply_field("scheduler"), choices=_schedules),
    AxisOption("Schedule min sigma", float, apply_override("sigma_min")),
    AxisOption("Schedule max sigma", float, apply_override("sigma_max")),
    AxisOption("Schedule rho", float, apply_override("rho")),
    AxisOption("Beta schedule alpha", float, apply_override("beta_dist_alpha")),
    AxisOption("Beta schedule beta", float, apply_override("beta_dist_beta")),
    AxisOption("Eta", float, apply_field("eta")),
    AxisOption("Clip skip", int, apply_override("CLIP_stop_at_last_layers")),
    AxisOption("Denoising", float, apply_field("denoising_strength")),
    AxisOption("Initial noise multiplier", float, apply_field("initial_noise_multiplier")),
    AxisOption("Extra noise", float, apply_override("img2img_extra_noise")),
    AxisOptionTxt2Img("Hires upscaler", str, apply_field("hr_upscaler"), choices=_hires_upscalers),
    AxisOptionImg2Img("Cond. Image Mask Weight", float, apply_field("inpainting_mask_weight")),
    AxisOption("VAE", str, apply_vae, cost=0.7, choices=lambda: ["Automatic", "None", *sd_vae.vae_dict]),
    AxisOption("Styles", str, apply_styles, choices=lambda: list(shared.prompt_styles.styles)),
    AxisOption("UniPC Order", int, apply_uni_pc_order, cost=0.5),
    AxisOption("Face restore", str, apply_face_restore, format_value=format_value),
    AxisOption("Token merging ratio", float, apply_override("token_merging_ratio")),
    AxisOption("Token merging ratio high-res", float, apply_override("token_merging_ratio_hr")),
    AxisOption(
        "Always discard next-to-last sigma",
        str,
        apply_override("always_discard_next_to_last_sigma", boolean=True),
        choices=boolean_choice(reverse=True),
    ),
    AxisOption("SGM noise multiplier", str, apply_override("sgm_noise_multiplier", boolean=True), choices=boolean_choice(reverse=True)),
    AxisOption(
        "Refiner checkpoint",
        str,
        apply_field("refiner_checkpoint"),
        format_remove_path,
        confirm_checkpoints_or_none,
        1.0,
        lambda: ["None", *_checkpoints()],
    ),
    AxisOption("Refiner switch at", float, apply_field("refiner_switch_at")),
    AxisOption("RNG source", str, apply_override("randn_source"), choices=lambda: ["GPU", "CPU", "NV"]),
    AxisOption("FP8 mode", str, apply_override("fp8_storage"), cost=0.9, choices=lambda: ["Disable", "Enable for SDXL", "Enable"]),
    AxisOption("Size", str, apply_size),
]


class Script(scripts.Script):
    """Draws a request once for every combination of the axes' values."""

    def title(self):
        return "X/Y/Z plot"

    def options(self):
        """The axes of this page."""
        return [option for option in axis_options if getattr(option, "is_img2img", self.is_img2img) == self.is_img2img]

    def ui(self, is_img2img):
        import gradio as gr

        self.current_axis_options = self.options()
        controls = [control for axis in "xyz" for control in self._axis_controls(axis)]
        with gr.Row(variant="compact", elem_id="axis_options"):
            flags = [
                gr.Checkbox(label=label, value=value, elem_id=self.elem_id(name))
                for label, value, name in (
                    ("Draw legend", True, "draw_legend"),
                    ("Include Sub Images", False, "include_lone_images"),
                    ("Include Sub Grids", False, "include_sub_grids"),
                    ("Keep -1 for seeds", False, "no_fixed_seeds"),
                    ("Vary seeds for X", False, "vary_seeds_x"),
                    ("Vary seeds for Y", False, "vary_seeds_y"),
                    ("Vary seeds for Z", False, "vary_seeds_z"),
                )
            ]
            margin = gr.Slider(label="Grid margins (px)", minimum=0, maximum=500, value=0, step=2, elem_id=self.elem_id("margin_size"))
            csv_mode = gr.Checkbox(label="Use text inputs instead of dropdowns", value=False, elem_id=self.elem_id("csv_mode"))
        with gr.Row(variant="compact", elem_id="swap_axes"):
            for first, second in ((0, 1), (1, 2), (0, 2)):
                names = f"{'XYZ'[first]}/{'XYZ'[second]}"
                button = gr.Button(f"Swap {names} axes", elem_id=f"{'xyz'[first]}{'xyz'[second]}_grid_swap_axes_button")
                pair = [*controls[first * 3 : first * 3 + 3], *controls[second * 3 : second * 3 + 3]]
                button.click(lambda *values: [*values[3:], *values[:3]], inputs=pair, outputs=pair, show_progress="hidden")
        for start in (0, 3, 6):
            kind, text, chosen = controls[start : start + 3]
            how = {"inputs": [kind, csv_mode], "outputs": [text, chosen], "show_progress": "hidden"}
            kind.change(self._shown, **how)
            csv_mode.change(self._shown, **how)
        self.infotext_fields = [(controls[i * 3], f"{name} Type") for i, name in enumerate("XYZ")]
        self.infotext_fields += [(controls[i * 3 + 1], f"{name} Values") for i, name in enumerate("XYZ")]
        return [*controls, *flags, margin, csv_mode]

    def _axis_controls(self, axis):
        import gradio as gr

        labels = [option.label for option in self.current_axis_options]
        first = labels[1 if axis == "x" else 0]
        with gr.Row():
            kind = gr.Dropdown(labels, label=f"{axis.upper()} type", value=first, type="index", elem_id=self.elem_id(f"{axis}_type"))
            text = gr.Textbox(label=f"{axis.upper()} values", value="", lines=1, elem_id=self.elem_id(f"{axis}_values"))
            chosen = gr.Dropdown([], label=f"{axis.upper()} values", value=None, visible=False, multiselect=True, interactive=True)
        return [kind, text, chosen]

    def _shown(self, kind, csv_mode):
        """Which of an axis' two inputs is seen: a list of choices where the axis has one."""
        import gradio as gr

        option = self.current_axis_options[kind]
        has_choices = option.choices is not None and not csv_mode
        choices = option.choices() if has_choices else []
        return gr.update(visible=not has_choices), gr.update(visible=has_choices, choices=choices)

    def run(
        self, p, x_type, x_values, x_values_dropdown, y_type, y_values, y_values_dropdown, z_type, z_values, z_values_dropdown,
        draw_legend, include_lone_images, include_sub_grids, no_fixed_seeds, vary_seeds_x, vary_seeds_y, vary_seeds_z,
        margin_size, csv_mode,
    ):  # fmt: skip
        if not no_fixed_seeds:
            fix_seed(p)
        if not opts.return_grid:
            p.batch_size = 1
        axes = [
            Axis(p, self.option(kind), text, chosen, csv_mode)
            for kind, text, chosen in (
                (x_type, x_values, x_values_dropdown),
                (y_type, y_values, y_values_dropdown),
                (z_type, z_values, z_values_dropdown),
            )
        ]
        if not no_fixed_seeds:
            for axis in axes:
                axis.fix_seeds()
        plot = Plot(p, axes, (vary_seeds_x, vary_seeds_y, vary_seeds_z), not no_fixed_seeds, self.title(), images)
        processed = plot.draw(bool(draw_legend), int(margin_size or 0))
        if not processed.images:
            return processed
        return self.trimmed(p, processed, plot, include_lone_images, include_sub_grids)

    def option(self, kind):
        """The axis at a position of this page's list, or with a label."""
        options = self.options()
        try:
            return next(option for option in options if option.label == kind) if isinstance(kind, str) else options[int(kind)]
        except (StopIteration, IndexError, TypeError, ValueError):
            raise RequestError("script_args", f"there is no axis {kind!r}; there are {len(options)}, see /sdapi/v1/script-info") from None

    def trimmed(self, p, processed, plot, lone_images, sub_grids):
        """The result with the grids saved and what was not asked for removed."""
        depth = len(plot.axes[2].values)
        processed.infotexts[: 1 + depth] = plot.infotexts
        if not lone_images:
            processed.images = processed.images[: 1 + depth]
        if opts.grid_save:
            for index in range(1 + depth if sub_grids and depth > 1 else 1):
                prompt = max(index - 1, 0)
                how = {"extension": opts.grid_format, "prompt": processed.all_prompts[prompt], "seed": processed.all_seeds[prompt]}
                how |= {"info": processed.infotexts[index], "grid": True, "p": p}
                images.save_image(processed.images[index], p.outpath_grids, "xyz_grid", **how)
        if not sub_grids:
            del processed.images[1 : 1 + depth], processed.infotexts[1 : 1 + depth]
            # A1111: one prompt and seed too far along, since the whole plot has none of its own
            del processed.all_prompts[1 : 1 + depth], processed.all_seeds[1 : 1 + depth]
        return processed
