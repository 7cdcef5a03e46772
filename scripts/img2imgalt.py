"""img2img alternative test: the noise a picture would have come from, found by walking the sampler backwards."""

from __future__ import annotations

import math

import torch

from modules import scripts
from modules.pipeline import noise_inversion
from modules.processing import process_images

SAMPLER = "Euler"


class Script(scripts.Script):
    """Draws with the noise that leads back to the init picture, so that a changed prompt changes little else."""

    def __init__(self):
        self.cache = None

    def title(self):
        return "img2img alternative test"

    def show(self, is_img2img):
        return is_img2img

    def ui(self, is_img2img):
        import gradio as gr

        info = gr.Markdown("* `CFG Scale` should be 2 or lower.")
        text = "Override `Sampling method` to Euler?(this method is built for it)"
        sampler = gr.Checkbox(label=text, value=True, elem_id=self.elem_id("override_sampler"))
        text = "Override `prompt` to the same value as `original prompt`?(and `negative prompt`)"
        prompt = gr.Checkbox(label=text, value=True, elem_id=self.elem_id("override_prompt"))
        original = gr.Textbox(label="Original prompt", value="", lines=1, elem_id=self.elem_id("original_prompt"))
        negative = gr.Textbox(label="Original negative prompt", value="", lines=1, elem_id=self.elem_id("original_negative_prompt"))
        text = "Override `Sampling Steps` to the same value as `Decode steps`?"
        steps = gr.Checkbox(label=text, value=True, elem_id=self.elem_id("override_steps"))
        st = gr.Slider(label="Decode steps", minimum=1, maximum=150, step=1, value=50, elem_id=self.elem_id("st"))
        strength = gr.Checkbox(label="Override `Denoising strength` to 1?", value=True, elem_id=self.elem_id("override_strength"))
        cfg = gr.Slider(label="Decode CFG scale", minimum=0.0, maximum=15.0, step=0.1, value=1.0, elem_id=self.elem_id("cfg"))
        random = gr.Slider(label="Randomness", minimum=0.0, maximum=1.0, step=0.01, value=0.0, elem_id=self.elem_id("randomness"))
        text = "Sigma adjustment for finding noise for image"
        adjusted = gr.Checkbox(label=text, value=False, elem_id=self.elem_id("sigma_adjustment"))
        return [info, sampler, prompt, original, negative, steps, st, strength, cfg, random, adjusted]

    def run(
        self, p, _, override_sampler, override_prompt, original_prompt, original_negative_prompt, override_steps, st,
        override_strength, cfg, randomness, sigma_adjustment,
    ):  # fmt: skip
        if override_sampler:
            p.sampler_name = SAMPLER
        if override_prompt:
            p.prompt, p.negative_prompt = original_prompt, original_negative_prompt
        if override_steps:
            p.steps = st
        if override_strength:
            p.denoising_strength = 1.0
        find = noise_inversion.NoiseFinder(original_prompt, original_negative_prompt, cfg, int(st), bool(sigma_adjustment))

        def sample(*args, **kwargs):
            found = self.found(p, find)
            drawn = noise_inversion.drawn_noise(p)
            share = math.sqrt(randomness**2 + (1 - randomness) ** 2)
            combined = ((1 - randomness) * found + randomness * drawn) / share
            return noise_inversion.sample_from(p, combined)

        p.sample = sample
        p.extra_generation_params = {
            **p.extra_generation_params,
            "Decode prompt": original_prompt,
            "Decode negative prompt": original_negative_prompt,
            "Decode CFG scale": cfg,
            "Decode steps": st,
            "Randomness": randomness,
            "Sigma Adjustment": sigma_adjustment,
        }
        return process_images(p)

    def found(self, p, find):
        """The noise of the init latent; the one found last where nothing it depends on has changed much."""
        latent = (p.init_latent.cpu() * 10).to(torch.int32)
        if self.cache is not None:
            known, noise, before = self.cache
            if known == find and before.shape == latent.shape and int((before - latent).abs().sum()) < 100:
                return noise.to(p.init_latent)
        noise = find(p)
        self.cache = find, noise.cpu(), latent
        return noise
