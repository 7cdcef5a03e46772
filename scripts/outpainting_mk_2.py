"""Outpainting mk2: the picture grown one side at a time over noise shaped like it."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from modules import images, scripts
from modules.imaging.matched_noise import matched_noise
from modules.processing import Processed, fix_seed, process_images
from modules.shared import opts, state

DIRECTIONS = ["left", "right", "up", "down"]


class Script(scripts.Script):
    """Inpaints the borders that are added to a picture, beginning from noise with the picture's spectrum."""

    def title(self):
        return "Outpainting mk2"

    def show(self, is_img2img):
        return is_img2img

    def ui(self, is_img2img):
        import gradio as gr

        advice = "Recommended settings: Sampling Steps: 80-100, Sampler: Euler a, Denoising strength: 0.8"
        info = gr.HTML(f'<p style="margin-bottom:0.75em">{advice}</p>')
        pixels = gr.Slider(label="Pixels to expand", minimum=8, maximum=256, step=8, value=128, elem_id=self.elem_id("pixels"))
        mask_blur = gr.Slider(label="Mask blur", minimum=0, maximum=64, step=1, value=8, elem_id=self.elem_id("mask_blur"))
        direction = gr.CheckboxGroup(
            label="Outpainting direction", choices=DIRECTIONS, value=list(DIRECTIONS), elem_id=self.elem_id("direction")
        )
        noise = {"label": "Fall-off exponent (lower=higher detail)", "minimum": 0.0, "maximum": 4.0, "step": 0.01, "value": 1.0}
        colour = {"label": "Color variation", "minimum": 0.0, "maximum": 1.0, "step": 0.01, "value": 0.05}
        noise_q = gr.Slider(**noise, elem_id=self.elem_id("noise_q"))
        color_variation = gr.Slider(**colour, elem_id=self.elem_id("color_variation"))
        return [info, pixels, mask_blur, direction, noise_q, color_variation]

    def run(self, p, _, pixels, mask_blur, direction, noise_q, color_variation):
        fix_seed(p)
        count, batch_size = p.n_iter, p.batch_size
        grower = Grower(p, int(mask_blur), noise_q, color_variation)
        image = p.init_images[0]
        sides = expansion(image.size, int(pixels), direction)
        p.mask_blur_x = mask_blur * 4 if sides["left"] or sides["right"] else 0
        p.mask_blur_y = mask_blur * 4 if sides["up"] or sides["down"] else 0
        p.inpaint_full_res, p.inpainting_fill = False, 1
        p.do_not_save_samples = p.do_not_save_grid = True
        p.n_iter = 1
        state.job_count = count * sum(amount > 0 for amount in sides.values())
        results = []
        for number in range(count):
            state.job = f"Batch {number + 1} out of {count}"
            pictures = [image.convert("RGB")] * batch_size
            for side in DIRECTIONS:
                if sides[side] > 0 and not (state.interrupted or state.stopping_generation):
                    pictures = grower.grow(pictures, side, sides[side])
            results += pictures
        return self.finished(p, grower, results)

    def finished(self, p, grower, pictures):
        """The pictures saved, with a grid before them where the settings want one."""
        infotext = grower.first.infotexts[0] if grower.first else ""
        seed = grower.first.seed if grower.first else p.seed
        prompt = p.prompt if isinstance(p.prompt, str) else p.prompt[0]
        how = {"info": infotext, "p": p, "seed": seed, "prompt": prompt}
        if opts.samples_save:
            for picture in pictures:
                images.save_image(picture, p.outpath_samples, "", extension=opts.samples_format, **how)
        shown = pictures
        if len(pictures) > 1 or not opts.grid_only_if_multiple:
            grid = images.image_grid(pictures)
            if opts.grid_save:
                short = not opts.grid_extended_filename
                images.save_image(grid, p.outpath_grids, "grid", extension=opts.grid_format, short_filename=short, grid=True, **how)
            if opts.return_grid:
                shown = [grid, *pictures]
        return Processed(p, shown, seed, infotext)


class Grower:
    """Grows pictures by one side with a request; `first` is the first job, whose infotext counts."""

    def __init__(self, p, mask_blur, noise_q, color_variation):
        self.p, self.mask_blur, self.noise = p, mask_blur, (noise_q, color_variation)
        self.size = p.width, p.height
        self.first = None

    def grow(self, pictures, side, pixels):
        """The pictures (all of one size) with `pixels` more on one side."""
        p, width, height = self.p, *pictures[0].size
        horizontal = side in ("left", "right")
        size = (width + pixels, height) if horizontal else (width, height + pixels)
        canvas = tuple(math.ceil(length / 64) * 64 for length in size)
        mask = self.mask(canvas, size, side, pixels, self.mask_blur)
        canvases = [self.with_noise(picture, mask, canvas, side, pixels) for picture in pictures]
        p.width = min(self.size[0], width + pixels) if horizontal else canvas[0]
        p.height = min(self.size[1], height + pixels) if not horizontal else canvas[1]
        left = 0 if side == "left" else canvas[0] - p.width
        top = 0 if side == "up" else canvas[1] - p.height
        box = left, top, left + p.width, top + p.height
        p.init_images, p.image_mask = [picture.crop(box) for picture in canvases], mask.crop(box)
        p.latent_mask = self.mask((p.width, p.height), size, side, pixels, self.mask_blur * 2)
        processed = process_images(p)
        self.first = self.first or processed
        for picture, drawn in zip(canvases, processed.images, strict=False):
            picture.paste(
                drawn, (0 if side == "left" else picture.width - drawn.width, 0 if side == "up" else picture.height - drawn.height)
            )
        return [picture.crop((0, 0, *size)) for picture in canvases]

    def with_noise(self, picture, mask, canvas, side, pixels):
        """The picture on a larger canvas whose new part is noise."""
        image = Image.new("RGB", canvas)
        image.paste(picture, (pixels if side == "left" else 0, pixels if side == "up" else 0))
        noised = matched_noise(np.asarray(image) / 255.0, np.asarray(mask) / 255.0, *self.noise)
        return Image.fromarray(np.clip(noised * 255.0, 0.0, 255.0).astype(np.uint8))

    def mask(self, canvas, size, side, pixels, inset):
        """White, with what is known black up to `inset` pixels before the new part."""
        mask = Image.new("RGB", canvas, "white")
        start = pixels + inset if side == "left" else 0, pixels + inset if side == "up" else 0
        end = (
            canvas[0] - pixels - inset if side == "right" else size[0],
            canvas[1] - pixels - inset if side == "down" else size[1],
        )
        if start[0] <= end[0] and start[1] <= end[1]:
            ImageDraw.Draw(mask).rectangle((*start, *end), fill="black")
        return mask


def expansion(size, pixels, direction):
    """What is added on each side so that the lengths that grow become multiples of 64."""
    wanted = {side: pixels if side in direction else 0 for side in DIRECTIONS}
    for before, after, length in (("left", "right", size[0]), ("up", "down", size[1])):
        target = math.ceil((length + wanted[before] + wanted[after]) / 64) * 64
        if wanted[before] > 0:
            wanted[before] = wanted[before] * (target - length) // (wanted[before] + wanted[after])
        if wanted[after] > 0:
            wanted[after] = target - length - wanted[before]
    return wanted
