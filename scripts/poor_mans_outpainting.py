"""Poor man's outpainting: the picture on a larger canvas, what is new drawn tile by tile."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from modules import images, scripts
from modules.processing import Processed, fix_seed, process_images
from modules.shared import opts, state

DIRECTIONS = ["left", "right", "up", "down"]


class Script(scripts.Script):
    """Inpaints the borders that are added around a picture."""

    def title(self):
        return "Poor man's outpainting"

    def show(self, is_img2img):
        return is_img2img

    def ui(self, is_img2img):
        import gradio as gr

        pixels = gr.Slider(label="Pixels to expand", minimum=8, maximum=256, step=8, value=128, elem_id=self.elem_id("pixels"))
        mask_blur = gr.Slider(label="Mask blur", minimum=0, maximum=64, step=1, value=4, elem_id=self.elem_id("mask_blur"))
        contents = ["fill", "original", "latent noise", "latent nothing"]
        fill = gr.Radio(label="Masked content", choices=contents, value="fill", type="index", elem_id=self.elem_id("inpainting_fill"))
        direction = gr.CheckboxGroup(
            label="Outpainting direction", choices=DIRECTIONS, value=list(DIRECTIONS), elem_id=self.elem_id("direction")
        )
        return [pixels, mask_blur, fill, direction]

    def run(self, p, pixels, mask_blur, inpainting_fill, direction):
        fix_seed(p)
        p.mask_blur_x = p.mask_blur_y = mask_blur * 2
        p.inpainting_fill = inpainting_fill if isinstance(inpainting_fill, int) else 0
        p.inpaint_full_res = False
        image = p.init_images[0]
        sides = expansion(image.size, int(pixels), direction)
        canvas = expanded(image, sides)
        mask = border_mask(canvas.size, sides, mask_blur * 2)
        latent_mask = border_mask(canvas.size, sides, mask_blur // 2)
        seed = p.seed
        p.n_iter = p.batch_size = 1
        p.do_not_save_grid = p.do_not_save_samples = True
        tiles = [images.split_grid(part, tile_w=p.width, tile_h=p.height, overlap=int(pixels)) for part in (canvas, mask, latent_mask)]
        first = self.draw(p, tiles, sides)
        combined = images.combine_grid(tiles[0])
        infotext = first.infotexts[0] if first else ""
        if opts.samples_save:
            how = {"extension": opts.samples_format, "info": infotext, "p": p}
            images.save_image(combined, p.outpath_samples, "", seed, p.prompt if isinstance(p.prompt, str) else p.prompt[0], **how)
        return Processed(p, [combined], seed, infotext)

    def draw(self, p, tiles, sides):
        """Draw every tile that is not a part of the old picture; the first job, for its infotext."""
        work = [entries for entries in places(*tiles) if not inside(entries[0], tiles[0], sides)]
        state.job_count, first = len(work), None
        for number, ((_, tile), (_, mask), (_, latent_mask)) in enumerate(work):
            if state.interrupted or state.stopping_generation:
                break
            state.job = f"Tile {number + 1} out of {len(work)}"
            p.init_images, p.image_mask, p.latent_mask = [tile[2]], mask[2], latent_mask[2]
            processed = process_images(p)
            first = first or processed
            p.seed = processed.seed + 1
            tile[2] = processed.images[0]
        return first


def places(*grids):
    """For each tile (y, [x, width, picture]) of every one of the grids, which are cut alike."""
    for rows in zip(*(grid.tiles for grid in grids), strict=True):
        yield from zip(*([(row[0], entry) for entry in row[2]] for row in rows), strict=True)


def inside(place, grid, sides):
    """True for a tile that lies within the old picture."""
    y, (x, width, _) = place
    left, right, up, down = sides
    return x >= left and x + width <= grid.image_w - right and y >= up and y + grid.tile_h <= grid.image_h - down


def expansion(size, pixels, direction):
    """What is added left, right, above and below so that both sides become multiples of 64."""
    left, right, up, down = (pixels if name in direction else 0 for name in DIRECTIONS)
    return (*_shared(size[0], left, right), *_shared(size[1], up, down))


def _shared(size, before, after):
    target = math.ceil((size + before + after) / 64) * 64
    if before > 0:
        before = before * (target - size) // (before + after)
    if after > 0:
        after = target - size - before
    return before, after


def expanded(image, sides):
    """The picture on black."""
    left, right, up, down = sides
    canvas = Image.new("RGB", (image.width + left + right, image.height + up + down))
    canvas.paste(image, (left, up))
    return canvas


def border_mask(size, sides, inset):
    """White, with the old picture black; the black stops `inset` pixels before the sides that grow."""
    left, right, up, down = sides
    mask = Image.new("L", size, "white")
    start = left + (inset if left else 0), up + (inset if up else 0)
    end = size[0] - right - (inset if right else 0), size[1] - down - (inset if down else 0)
    if start[0] <= end[0] and start[1] <= end[1]:
        ImageDraw.Draw(mask).rectangle((*start, *end), fill="black")
    return mask
