"""`process_images`: a request in, pictures with their recipes out."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modules.pipeline.pixels import to_images
from modules.pipeline.recipe import VERSION, create_infotext
from modules.pipeline.run import Run
from modules.pipeline.sample import sample_batch
from modules.pipeline.save import make_grid, save_params, save_sample

if TYPE_CHECKING:
    from PIL import Image

    from modules.pipeline.processing import StableDiffusionProcessing
    from modules.pipeline.runtime import Runtime

log = logging.getLogger(__name__)


@dataclass
class Processed:
    """What a job made: `images` and their `infotexts`, a grid first where there is one, and the job's data for the API."""

    images: list[Image.Image]
    infotexts: list[str]
    info: dict[str, Any]
    index_of_first_image: int = 0
    comments: str = ""
    paths: list[str] = field(default_factory=list)
    """Files written, in the order of `images` (samples only)."""

    def js(self) -> str:
        """The `info` of the API as a JSON string."""
        return json.dumps(self.info, default=lambda _: None)


def process_images(p: StableDiffusionProcessing, runtime: Runtime) -> Processed:
    """Run a request to its end, or to the point where the job is stopped; what is finished by then is returned.

    Raises RequestError, PromptError, WeightsError or SettingError for what the user can mend.
    """
    p.validate()
    state = runtime.state
    state.textinfo = "Loading the checkpoint…"
    run = Run.prepare(p, runtime)
    state.textinfo = None
    state.job_count = p.n_iter
    images: list[Image.Image] = []
    paths: list[str] = []
    for iteration in range(p.n_iter):
        state.skipped = False
        if state.interrupted or state.stopping_generation:
            break
        if p.n_iter > 1:
            state.job = f"Batch {iteration + 1} out of {p.n_iter}"
        images += _one_batch(run, iteration, paths)
        state.nextjob()
    return _finished(run, images, paths)


def _one_batch(run: Run, iteration: int, paths: list[str]) -> list[Image.Image]:
    """Draw one batch; its files are written as soon as it is decoded."""
    rows = run.batch(iteration)
    with run.model.tiling(run.tiling):
        latents = sample_batch(run, iteration, on_ready=lambda: save_params(run) if iteration == 0 else None)
        images = to_images(run.model.decode(latents))
    for offset, image in enumerate(images):
        index = rows.start + offset
        infotext = create_infotext(run, index)
        image.info["parameters"] = infotext
        if path := save_sample(run, image, index, infotext):
            paths.append(path)
    return images


def _finished(run: Run, images: list[Image.Image], paths: list[str]) -> Processed:
    infotexts = [create_infotext(run, index) for index in range(len(images))]
    first = 0
    if grid := make_grid(run, images):
        images, first = [grid, *images], 1
        infotexts = [create_infotext(run, 0, use_main_prompt=True), *infotexts]
    comments = "\n".join(run.p.comments)
    return Processed(images, infotexts, _info(run, infotexts, first), first, comments, paths)


def _info(run: Run, infotexts: list[str], index_of_first_image: int) -> dict[str, Any]:
    """The fields of the API's `info`, in A1111's order."""
    p = run.p
    return {
        "prompt": run.all_prompts[0],
        "all_prompts": run.all_prompts,
        "negative_prompt": run.all_negative_prompts[0],
        "all_negative_prompts": run.all_negative_prompts,
        "seed": run.all_seeds[0],
        "all_seeds": run.all_seeds,
        "subseed": run.all_subseeds[0],
        "all_subseeds": run.all_subseeds,
        "subseed_strength": p.subseed_strength,
        "width": p.width,
        "height": p.height,
        "sampler_name": run.sampler.label,
        "cfg_scale": p.cfg_scale,
        "steps": p.steps,
        "batch_size": p.batch_size,
        "restore_faces": bool(p.restore_faces),
        "face_restoration_model": None,
        "sd_model_name": run.model.name,
        "sd_model_hash": run.model.shorthash,
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": p.seed_resize_from_w,
        "seed_resize_from_h": p.seed_resize_from_h,
        "denoising_strength": p.denoising_strength,
        "extra_generation_params": {**run.extra_params, **p.extra_generation_params},
        "index_of_first_image": index_of_first_image,
        "infotexts": infotexts,
        "styles": p.styles,
        "job_timestamp": run.runtime.state.job_timestamp,
        "clip_skip": int(run.settings.CLIP_stop_at_last_layers),
        "is_using_inpainting_conditioning": run.model.wants_inpainting_conditioning,
        "version": VERSION,
    }
