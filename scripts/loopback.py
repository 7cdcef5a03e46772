"""Loopback: each picture is the next one's init picture."""

from __future__ import annotations

import math

from modules import images, processing, scripts
from modules.pipeline.processing import RequestError
from modules.processing import Processed
from modules.shared import opts, state

CURVES = {
    "Aggressive": lambda progress: math.sin(progress * math.pi / 2),
    "Linear": lambda progress: progress,
    "Lazy": lambda progress: 1 - math.cos(progress * math.pi / 2),
}
"""How the denoising strength goes from the first to the last loop, progress from 0 to 1."""


class Script(scripts.Script):
    """Runs img2img over and over on its own result."""

    def title(self):
        return "Loopback"

    def show(self, is_img2img):
        return is_img2img

    def ui(self, is_img2img):
        import gradio as gr

        loops = gr.Slider(minimum=1, maximum=32, step=1, label="Loops", value=4, elem_id=self.elem_id("loops"))
        final = gr.Slider(
            minimum=0, maximum=1, step=0.01, label="Final denoising strength", value=0.5, elem_id=self.elem_id("final_denoising_strength")
        )
        curve = gr.Dropdown(label="Denoising strength curve", choices=list(CURVES), value="Linear")
        texts = ["None", "CLIP", "DeepBooru"]
        append = gr.Dropdown(label="Append interrogated prompt at each iteration", choices=texts, value="None")
        return [loops, final, curve, append]

    def run(self, p, loops, final_denoising_strength, denoising_curve, append_interrogation):
        processing.fix_seed(p)
        if denoising_curve not in CURVES:
            raise RequestError("script_args", f"there is no denoising curve '{denoising_curve}'; there are {', '.join(CURVES)}")
        count, loops = p.n_iter, int(loops)
        p.extra_generation_params = {
            **p.extra_generation_params,
            "Final denoising strength": final_denoising_strength,
            "Denoising curve": denoising_curve,
        }
        p.batch_size = p.n_iter = 1
        start = Start(p)
        shown, first, last = [], None, None
        state.job_count = loops * count
        for iteration in range(count):
            start.restore(p)
            for loop in range(loops):
                p.n_iter = p.batch_size = 1
                p.do_not_save_grid = True
                if append_interrogation != "None":
                    p.prompt = with_interrogation(start.prompt, p.init_images[0], append_interrogation)
                if opts.img2img_color_correction:
                    p.color_corrections = [processing.setup_color_correction(start.images[0].convert("RGB"))]
                state.job = f"Iteration {loop + 1}/{loops}, batch {iteration + 1}/{count}"
                processed = processing.process_images(p)
                if state.interrupted or state.stopping_generation or not processed.images:
                    break
                first = first or processed
                last = processed.images[0]
                p.init_images = [last]
                p.inpainting_fill = 1  # what was drawn is where the next loop begins
                p.seed = processed.seed + 1
                p.denoising_strength = strength(start.strength, final_denoising_strength, denoising_curve, loop + 1, loops)
                if count == 1:
                    shown.append(last)
            if count > 1 and last is not None:
                shown.append(last)
                p.init_images, p.inpainting_fill = start.images, start.fill
            if state.interrupted or state.stopping_generation:
                break
        return self.finished(p, first, shown)

    def finished(self, p, first, shown):
        """The pictures, with a grid in one row before them if there are several."""
        if first is None:
            return Processed(p, [], p.seed, "")
        infotext = first.infotexts[0]
        if len(shown) > 1:
            grid = images.image_grid(shown, rows=1)
            if opts.grid_save:
                how = {"info": infotext, "short_filename": not opts.grid_extended_filename, "grid": True, "p": p}
                how |= {"extension": opts.grid_format, "seed": first.seed, "prompt": first.prompt}
                images.save_image(grid, p.outpath_grids, "grid", **how)
            if opts.return_grid:
                shown = [grid, *shown]
        return Processed(p, shown, first.seed, infotext)


class Start:
    """What each batch begins with."""

    def __init__(self, p):
        self.images, self.fill, self.strength = list(p.init_images), p.inpainting_fill, p.denoising_strength
        self.prompt = p.prompt

    def restore(self, p):
        p.init_images, p.inpainting_fill, p.denoising_strength = list(self.images), self.fill, self.strength


def strength(first, final, curve, loop, loops):
    """The denoising strength of a loop (from 0)."""
    if loops == 1:
        return first
    return first + (final - first) * CURVES[curve](min(loop / (loops - 1), 1))


def with_interrogation(prompt, image, how):
    """The prompt with a description of the picture behind it."""
    from modules import shared

    if how == "CLIP":
        text = shared.interrogator.interrogate(image)
    else:
        from modules import deepbooru

        text = deepbooru.model.tag(image)
    return f"{prompt}, {text}" if prompt else text
