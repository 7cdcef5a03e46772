"""The infotext of one picture: which fields a job writes, in A1111's order (generation.md §8.2 of the reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modules.diffusion.samplers.registry import uses_ensd
from modules.imaging.infotext import format_infotext
from modules.pipeline.processing import StableDiffusionProcessingImg2Img

if TYPE_CHECKING:
    from modules.pipeline.run import Run

VERSION = "v1.10.1"
"""The A1111 release whose behaviour pictures follow; readers decide about old quirks by it."""


def create_infotext(run: Run, index: int, *, use_main_prompt: bool = False) -> str:
    """The infotext of picture `index` of the job; with `use_main_prompt` that of its grid."""
    p = run.p
    prompt = p.main_prompt if use_main_prompt else p.all_prompts[index]
    negative = p.main_negative_prompt if use_main_prompt else p.all_negative_prompts[index]
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
        "Image CFG scale": p.image_cfg_scale if run.model.is_edit and isinstance(p, StableDiffusionProcessingImg2Img) else None,
        "Seed": p.all_seeds[index],
        "Face restoration": opts.face_restoration_model if p.restore_faces else None,
        "Size": f"{p.width}x{p.height}",
        "Model hash": run.main_model.shorthash if opts.add_model_hash_to_info else None,
        "Model": run.main_model.name if opts.add_model_name_to_info else None,
        **_fp8(run),
        "VAE hash": run.main_model.vae_hash if opts.add_vae_hash_to_info else None,
        "VAE": run.main_model.vae_name if opts.add_vae_name_to_info else None,
        "Variation seed": p.all_subseeds[index] if varied else None,
        "Variation seed strength": p.subseed_strength if varied else None,
        "Seed resize from": f"{p.seed_resize_from_w}x{p.seed_resize_from_h}" if resized else None,
        "Denoising strength": p.denoising_strength if p.kind == "img2img" or getattr(p, "enable_hr", False) else None,
        "Conditional mask weight": _mask_weight(run),
        "Clip skip": clip_skip if clip_skip > 1 else None,
        "ENSD": _ensd(run),
        "Token merging ratio": p.get_token_merging_ratio() or None,
        "Token merging ratio hr": (p.get_token_merging_ratio(for_hr=True) or None) if getattr(p, "enable_hr", False) else None,
        "Init image hash": getattr(p, "init_img_hash", None),
        "RNG": opts.randn_source if opts.randn_source != "GPU" else None,
        "Tiling": True if run.tiling else None,
    }


def _fp8(run: Run) -> dict[str, Any]:
    if run.main_model.storage is None or not run.main_model.storage.fp8:
        return {}
    return {"FP8 weight": run.settings.fp8_storage, "Cache FP16 weight for LoRA": bool(run.settings.cache_fp16_weight)}


def _resolved(run: Run, index: int) -> dict[str, Any]:
    """Keys the job set on its way; a list holds a value for each picture, a function is asked."""
    return {key: _value_for(run, value, index) for key, value in run.p.extra_generation_params.items()}


def _value_for(run: Run, value: Any, index: int) -> Any:
    if isinstance(value, list):
        return value[index] if index < len(value) else None
    if not callable(value):
        return value
    p = run.p
    lists = {"all_prompts": p.all_prompts, "all_negative_prompts": p.all_negative_prompts, "all_seeds": p.all_seeds}
    return value(p=p, index=index, iteration=p.iteration, **lists)


def _mask_weight(run: Run) -> float | None:
    if not run.uses_inpainting_conditioning:
        return None
    return float(getattr(run.p, "inpainting_mask_weight", run.settings.inpainting_mask_weight))


def _closing(run: Run) -> dict[str, Any]:
    opts = run.settings
    return {
        "Version": VERSION if opts.add_version_to_infotext else None,
        "User": run.p.user if opts.add_user_name_to_info else None,
    }


def _ensd(run: Run) -> int | None:
    delta = int(run.settings.eta_noise_seed_delta)
    return delta if delta and uses_ensd(run.sampler, run.eta) else None
