"""The infotext of one picture: which fields a job writes, in A1111's order (generation.md §8.2 of the reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modules.diffusion.samplers.registry import uses_ensd
from modules.imaging.infotext import format_infotext

if TYPE_CHECKING:
    from modules.pipeline.run import Run

VERSION = "v1.10.1"
"""The A1111 release whose behaviour pictures follow; readers decide about old quirks by it."""


def create_infotext(run: Run, index: int, *, use_main_prompt: bool = False) -> str:
    """The infotext of picture `index` of the job; with `use_main_prompt` that of its grid."""
    prompt = run.main_prompt if use_main_prompt else run.all_prompts[index]
    negative = run.main_negative_prompt if use_main_prompt else run.all_negative_prompts[index]
    fields = {**_fields(run, index), **_resolved(run, index), **_closing(run)}
    return format_infotext(prompt, negative, fields)


def _fields(run: Run, index: int) -> dict[str, Any]:
    p, opts = run.p, run.settings
    varied = p.subseed_strength != 0
    resized = p.seed_resize_from_w > 0 and p.seed_resize_from_h > 0
    clip_skip = int(opts.CLIP_stop_at_last_layers)
    return {
        "Steps": p.steps,
        "Sampler": run.sampler.label,
        "Schedule type": run.scheduler.label,
        "CFG scale": p.cfg_scale,
        "Seed": run.all_seeds[index],
        "Size": f"{p.width}x{p.height}",
        "Model hash": run.model.shorthash if opts.add_model_hash_to_info else None,
        "Model": run.model.name if opts.add_model_name_to_info else None,
        "Variation seed": run.all_subseeds[index] if varied else None,
        "Variation seed strength": p.subseed_strength if varied else None,
        "Seed resize from": f"{p.seed_resize_from_w}x{p.seed_resize_from_h}" if resized else None,
        "Clip skip": clip_skip if clip_skip > 1 else None,
        "ENSD": _ensd(run),
        "RNG": opts.randn_source if opts.randn_source != "GPU" else None,
        "Tiling": True if run.tiling else None,
    }


def _resolved(run: Run, index: int) -> dict[str, Any]:
    """Keys the job set on its way; a list holds a value for each picture."""
    values = {**run.extra_params, **run.p.extra_generation_params}
    return {key: value[index] if isinstance(value, list) else value for key, value in values.items()}


def _closing(run: Run) -> dict[str, Any]:
    opts = run.settings
    return {
        "Version": VERSION if opts.add_version_to_infotext else None,
        "User": run.p.user if opts.add_user_name_to_info else None,
    }


def _ensd(run: Run) -> int | None:
    delta = int(run.settings.eta_noise_seed_delta)
    return delta if delta and uses_ensd(run.sampler, run.eta) else None
