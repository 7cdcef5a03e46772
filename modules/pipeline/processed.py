"""What a job made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modules.pipeline.recipe import VERSION
from modules.pipeline.runtime import current

if TYPE_CHECKING:
    from PIL import Image

    from modules.pipeline.processing import StableDiffusionProcessing
    from modules.pipeline.run import Run


class Processed:
    """The pictures of a job and their infotexts, a grid first where there is one, and what the API tells about the job.

    Built by A1111's positional arguments, since scripts build their own, also for requests that have not run. `paths`: the files
    of the samples, in order.
    """

    def __init__(
        self,
        p: StableDiffusionProcessing,
        images_list: list[Image.Image],
        seed: int = -1,
        info: str = "",
        subseed: int | None = None,
        all_prompts: list[str] | None = None,
        all_negative_prompts: list[str] | None = None,
        all_seeds: list[int] | None = None,
        all_subseeds: list[int] | None = None,
        index_of_first_image: int = 0,
        infotexts: list[str] | None = None,
        comments: str = "",
    ) -> None:
        self.p, self.images, self.info = p, images_list, info
        self.infotexts = infotexts or [info] * len(images_list)
        self.index_of_first_image = index_of_first_image
        self.comments = "\n".join(filter(None, [*p.comments, *comments.splitlines()]))
        self.paths: list[str] = []
        self.prompt, self.negative_prompt = _first(p.prompt), _first(p.negative_prompt)
        self.all_prompts = all_prompts or p.all_prompts or [self.prompt]
        self.all_negative_prompts = all_negative_prompts or p.all_negative_prompts or [self.negative_prompt]
        self.seed = int(seed) if seed is not None and seed != -1 else _first_number(p.all_seeds, p.seed)
        self.subseed = _first_number(p.all_subseeds, p.subseed) if subseed is None else subseed
        self.all_seeds = all_seeds or p.all_seeds or [self.seed]
        self.all_subseeds = all_subseeds or p.all_subseeds or [self.subseed]
        self._run: Run | None = getattr(p, "run", None)
        self.job_timestamp = (self._run.runtime if self._run else current()).state.job_timestamp
        self.clip_skip = int((self._run.settings if self._run else current().options).CLIP_stop_at_last_layers)

    def infotext(self, p: StableDiffusionProcessing, index: int) -> str:
        """The infotext of picture `index` of the job."""
        from modules.pipeline.recipe import create_infotext

        return create_infotext(p.run, index)

    @property
    def width(self) -> int:
        return self.p.width

    @property
    def height(self) -> int:
        return self.p.height

    def as_dict(self) -> dict[str, Any]:
        """The fields of the API's `info`, in A1111's order."""
        p, run = self.p, self._run
        model = run.main_model if run else None
        return {
            "prompt": self.all_prompts[0],
            "all_prompts": self.all_prompts,
            "negative_prompt": self.all_negative_prompts[0],
            "all_negative_prompts": self.all_negative_prompts,
            "seed": self.seed,
            "all_seeds": self.all_seeds,
            "subseed": self.subseed,
            "all_subseeds": self.all_subseeds,
            "subseed_strength": p.subseed_strength,
            "width": p.width,
            "height": p.height,
            "sampler_name": run.sampler.label if run else p.sampler_name,
            "cfg_scale": p.cfg_scale,
            "steps": p.steps,
            "batch_size": p.batch_size,
            "restore_faces": bool(p.restore_faces),
            "face_restoration_model": run.settings.face_restoration_model if run and p.restore_faces else None,
            "sd_model_name": model.name if model else None,
            "sd_model_hash": model.shorthash if model else None,
            "sd_vae_name": model.vae_name if model else None,
            "sd_vae_hash": model.vae_hash if model else None,
            "seed_resize_from_w": p.seed_resize_from_w,
            "seed_resize_from_h": p.seed_resize_from_h,
            "denoising_strength": p.denoising_strength,
            "extra_generation_params": {key: value for key, value in p.extra_generation_params.items() if not callable(value)},
            "index_of_first_image": self.index_of_first_image,
            "infotexts": self.infotexts,
            "styles": p.styles,
            "job_timestamp": self.job_timestamp,
            "clip_skip": self.clip_skip,
            "is_using_inpainting_conditioning": bool(run and run.uses_inpainting_conditioning),
            "version": VERSION,
        }

    def js(self) -> str:
        """The `info` of the API as a JSON text."""
        return json.dumps(self.as_dict(), default=lambda _: None)


def _first(text: str | list[str]) -> str:
    return text if isinstance(text, str) else text[0]


def _first_number(numbers: list[int], otherwise: int) -> int:
    return int(numbers[0] if numbers else otherwise)
