"""SD upscale: an upscaler first, then img2img tile by tile."""

from __future__ import annotations

import math

from PIL import Image

from modules import images, processing, scripts, shared
from modules.pipeline.processing import RequestError
from modules.processing import Processed
from modules.shared import opts, state


class Script(scripts.Script):
    """Draws an enlarged picture anew in tiles of the request's size."""

    def title(self):
        return "SD upscale"

    def show(self, is_img2img):
        return is_img2img

    def ui(self, is_img2img):
        import gradio as gr

        names = [upscaler.name for upscaler in shared.sd_upscalers] or ["None"]
        note = "Will upscale the image by the selected scale factor; use width and height sliders to set tile size"
        info = gr.HTML(f'<p style="margin-bottom:0.75em">{note}</p>')
        overlap = gr.Slider(minimum=0, maximum=256, step=16, label="Tile overlap", value=64, elem_id=self.elem_id("overlap"))
        scale = gr.Slider(minimum=1.0, maximum=4.0, step=0.05, label="Scale Factor", value=2.0, elem_id=self.elem_id("scale_factor"))
        upscaler = gr.Radio(names, label="Upscaler", value=names[0], type="index", elem_id=self.elem_id("upscaler_index"))
        return [info, overlap, upscaler, scale]

    def run(self, p, _, overlap, upscaler_index, scale_factor):
        processing.fix_seed(p)
        upscaler = upscaler_named(upscaler_index)
        overlap = int(overlap)
        p.extra_generation_params = {**p.extra_generation_params, "SD upscale overlap": overlap, "SD upscale upscaler": upscaler.name}
        image = images.flatten(p.init_images[0], opts.img2img_background_color)
        if upscaler.name != "None":
            image = upscaler.scaler.upscale(image, scale_factor, upscaler.data_path)
        grid = images.split_grid(image, tile_w=p.width, tile_h=p.height, overlap=overlap)
        batch_size, count, seed = p.batch_size, p.n_iter, p.seed
        tiles = sum(len(row) for _, _, row in grid.tiles)
        p.n_iter, p.do_not_save_grid, p.do_not_save_samples = 1, True, True
        state.job_count = math.ceil(tiles / batch_size) * count
        results, first = [], None
        for number in range(count):
            p.seed = seed + number
            first = self.draw(p, grid, batch_size, first)
            combined = images.combine_grid(grid)
            results.append(combined)
            if opts.samples_save:
                how = {"extension": opts.samples_format, "info": first.infotexts[0] if first else None, "p": p}
                images.save_image(combined, p.outpath_samples, "", p.seed, p.prompt if isinstance(p.prompt, str) else p.prompt[0], **how)
        return Processed(p, results, seed, first.infotexts[0] if first else "")

    def draw(self, p, grid, batch_size, first):
        """Replace the grid's tiles by what img2img makes of them; the first job of all, for its infotext."""
        places = [entry for _, _, row in grid.tiles for entry in row]
        work = [entry[2] for entry in places]
        done = []
        for start in range(0, len(work), batch_size):
            if state.interrupted or state.stopping_generation:
                break
            p.batch_size = batch_size
            p.init_images = work[start : start + batch_size]
            state.job = f"Tiles {start + 1}-{start + len(p.init_images)} out of {len(work)}"
            processed = processing.process_images(p)
            first = first or processed
            p.seed = processed.seed + 1
            done += processed.images
        for entry, tile in zip(places, done, strict=False):
            entry[2] = tile
        for entry in places[len(done) :]:
            entry[2] = Image.new("RGB", (p.width, p.height))
        return first


def upscaler_named(choice):
    """The upscaler of a position in the list or a name, upper or lower case."""
    upscalers = shared.sd_upscalers
    if isinstance(choice, str):
        found = [upscaler for upscaler in upscalers if upscaler.name.lower() == choice.lower()]
        if not found:
            known = ", ".join(upscaler.name for upscaler in upscalers)
            raise RequestError("script_args", f"there is no upscaler '{choice}'; there are {known}")
        return found[0]
    return upscalers[int(choice)]
