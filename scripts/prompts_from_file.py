"""Prompts from file or textbox: a job for each line, which may carry options of its own."""

from __future__ import annotations

import copy
import logging
import random
import shlex

from modules import scripts, sd_models, sd_samplers
from modules.processing import Processed, fix_seed, process_images
from modules.shared import state

log = logging.getLogger(__name__)


def _boolean(text):
    return text.lower() == "true"


def _sampler_index(text):
    return sd_samplers.samplers[int(text)].name


TAGS = {
    "sd_model": None,
    "outpath_samples": str,
    "outpath_grids": str,
    "prompt_for_display": str,
    "prompt": str,
    "negative_prompt": str,
    "styles": str,
    "seed": int,
    "subseed_strength": float,
    "subseed": int,
    "seed_resize_from_h": int,
    "seed_resize_from_w": int,
    "sampler_index": int,
    "sampler_name": str,
    "batch_size": int,
    "n_iter": int,
    "steps": int,
    "cfg_scale": float,
    "width": int,
    "height": int,
    "restore_faces": _boolean,
    "tiling": _boolean,
    "do_not_save_samples": _boolean,
    "do_not_save_grid": _boolean,
}
"""Options of a line and what their value is."""
SEVERAL_WORDS = ("prompt", "negative_prompt")


def parse_line(line):
    """The options of a line: `--name value …`; `prompt` and `negative_prompt` go on to the next `--`. Raises ValueError."""
    words, found = shlex.split(line), {}
    position = 0
    while position < len(words):
        word = words[position]
        if not word.startswith("--"):
            raise ValueError(f"'{word}' stands where an option was expected")
        name = word[2:]
        if name not in TAGS:
            raise ValueError(f"there is no option '{word}'")
        end = position + 2
        if name in SEVERAL_WORDS:
            while end < len(words) and not words[end].startswith("--"):
                end += 1
        value = " ".join(words[position + 1 : end])
        if position + 1 >= len(words):
            raise ValueError(f"'{word}' has no value")
        if name == "sd_model":
            found["sd_model"] = value
        elif name == "sampler_index":
            found["sampler_name"] = _sampler_index(value)
        else:
            found[name] = [value] if name == "styles" else TAGS[name](value)
        position = end
    return found


def line_options(line):
    """The options of a line; a line without options, or with bad ones, is a prompt as it stands."""
    if "--" not in line:
        return {"prompt": line}
    try:
        return parse_line(line)
    except (ValueError, IndexError) as error:
        log.error("the line %r is taken as a prompt: %s", line, error)
        return {"prompt": line}


class Script(scripts.Script):
    """Runs the request once for each line."""

    def title(self):
        return "Prompts from file or textbox"

    def ui(self, is_img2img):
        import gradio as gr

        every = gr.Checkbox(label="Iterate seed every line", value=False, elem_id=self.elem_id("checkbox_iterate"))
        same = gr.Checkbox(label="Use same random seed for all lines", value=False, elem_id=self.elem_id("checkbox_iterate_batch"))
        position = gr.Radio(["start", "end"], label="Insert prompts at the", elem_id=self.elem_id("prompt_position"), value="start")
        text = gr.Textbox(label="List of prompt inputs", value="", lines=1, elem_id=self.elem_id("prompt_txt"))
        file = gr.File(label="Upload prompt inputs", type="binary", elem_id=self.elem_id("file"))
        file.change(lambda data: data.decode("utf8", "ignore") if data else "", inputs=[file], outputs=[text], show_progress="hidden")
        return [every, same, position, text]

    def run(self, p, checkbox_iterate, checkbox_iterate_batch, prompt_position, prompt_txt):
        p.do_not_save_grid = True
        jobs = [line_options(line.strip()) for line in prompt_txt.splitlines() if line.strip()]
        fix_seed(p)
        state.job_count = sum(options.get("n_iter", p.n_iter) for options in jobs)
        own_seeds = getattr(p, "asks_random_seed", False) and not (checkbox_iterate or checkbox_iterate_batch)
        seeds = random.Random(p.seed)  # a job that is tried again makes the same pictures
        images, all_prompts, infotexts = [], [], []
        for number, options in enumerate(jobs):
            if state.interrupted or state.stopping_generation:
                break
            state.job = f"{number + 1} out of {len(jobs)}"
            one = with_options(p, options, prompt_position)
            if own_seeds and "seed" not in options:
                one.seed = seeds.randrange(4294967294)
            processed = process_images(one)
            images += processed.images
            if checkbox_iterate:
                p.seed += p.batch_size * p.n_iter
            all_prompts += processed.all_prompts
            infotexts += processed.infotexts
        return Processed(p, images, p.seed, "", all_prompts=all_prompts, infotexts=infotexts)


def with_options(p, options, position):
    """A copy of the request with a line's options; its prompts go before or after the request's."""
    one = copy.copy(p)
    one.styles, one.override_settings = list(p.styles), dict(p.override_settings)
    one.extra_generation_params = dict(p.extra_generation_params)
    for name, value in options.items():
        if name == "sd_model":
            info = sd_models.get_closet_checkpoint_match(value)
            if info is None:
                log.error("checkpoint '%s' was not found; the line runs with the selected one", value)
            else:
                one.override_settings["sd_model_checkpoint"] = info.name
        else:
            setattr(one, name, value)
    for name in SEVERAL_WORDS:
        if options.get(name) and getattr(p, name):
            pair = (options[name], getattr(p, name))
            setattr(one, name, " ".join(pair if position == "start" else pair[::-1]))
    return one
