"""Prompt matrix: a prompt with alternatives after `|`, drawn in every combination."""

from __future__ import annotations

import math

from modules import images, scripts
from modules.pipeline.processing import RequestError
from modules.processing import fix_seed, process_images
from modules.shared import opts


class Script(scripts.Script):
    """Draws the first part of the prompt with every subset of the others."""

    def title(self):
        return "Prompt matrix"

    def ui(self, is_img2img):
        import gradio as gr

        at_start = gr.Checkbox(label="Put variable parts at start of prompt", value=False, elem_id=self.elem_id("put_at_start"))
        seeds = gr.Checkbox(label="Use different seed for each picture", value=False, elem_id=self.elem_id("different_seeds"))
        prompt_type = gr.Radio(["positive", "negative"], label="Select prompt", elem_id=self.elem_id("prompt_type"), value="positive")
        delimiter = gr.Radio(["comma", "space"], label="Select joining char", elem_id=self.elem_id("variations_delimiter"), value="comma")
        margin = gr.Slider(label="Grid margins (px)", minimum=0, maximum=500, value=0, step=2, elem_id=self.elem_id("margin_size"))
        return [at_start, seeds, prompt_type, delimiter, margin]

    def run(self, p, put_at_start, different_seeds, prompt_type, variations_delimiter, margin_size):
        if prompt_type not in ("positive", "negative"):
            raise RequestError("script_args", f"unknown prompt type {prompt_type}; it is positive or negative")
        if variations_delimiter not in ("comma", "space"):
            raise RequestError("script_args", f"unknown variations delimiter {variations_delimiter}; it is comma or space")
        fix_seed(p)
        prompt = _only(p.prompt if prompt_type == "positive" else p.negative_prompt)
        parts = prompt.split("|")
        prompts = combinations(parts, put_at_start, ", " if variations_delimiter == "comma" else " ")
        first = p.seed
        p.n_iter = math.ceil(len(prompts) / p.batch_size)
        p.do_not_save_grid = True
        p.prompt_for_display = _only(p.prompt)
        if prompt_type == "positive":
            p.prompt = prompts
        else:
            p.negative_prompt = prompts
        p.seed = [first + (number if different_seeds else 0) for number in range(len(prompts))]
        processed = process_images(p)
        if processed.images:
            self.add_grid(p, processed, parts, prompt, margin_size)
        return processed

    def add_grid(self, p, processed, parts, prompt, margin_size):
        """Put the grid with its legend before the pictures."""
        width, height = processed.images[0].size
        grid = images.image_grid(processed.images, p.batch_size, rows=1 << ((len(parts) - 1) // 2))
        if grid.width // width * (grid.height // height) == 1 << (len(parts) - 1):
            grid = images.draw_prompt_matrix(grid, width, height, parts, margin_size)
        processed.images.insert(0, grid)
        processed.infotexts.insert(0, processed.infotexts[0])
        processed.index_of_first_image = 1
        if opts.grid_save:
            how = {"extension": opts.grid_format, "prompt": prompt, "seed": processed.seed, "grid": True, "p": p}
            images.save_image(grid, p.outpath_grids, "prompt_matrix", **how)


def combinations(parts, put_at_start, delimiter):
    """The first part with every subset of the others, the number's bits saying which."""
    fixed, *options = parts
    prompts = []
    for number in range(1 << len(options)):
        chosen = [option.strip().strip(",") for bit, option in enumerate(options) if number & (1 << bit)]
        prompts.append(delimiter.join([*chosen, fixed] if put_at_start else [fixed, *chosen]))
    return prompts


def _only(prompt):
    return prompt[0] if isinstance(prompt, list) else prompt
