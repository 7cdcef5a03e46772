"""The second pass of txt2img ("hires fix"): sizes, upscaling, sampling again (generation.md §7 of the reference)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from modules.diffusion.latent_upscale import LATENT_MODES
from modules.diffusion.plan import plan_img2img
from modules.diffusion.samplers.registry import SamplerInfo, resolve
from modules.imaging.resize import resize_image
from modules.pipeline.codec import encode_pictures
from modules.pipeline.conditioning_image import hires_conditioning
from modules.pipeline.encode import PassTexts
from modules.pipeline.model import ImageCond
from modules.pipeline.pixels import to_images, to_tensor
from modules.pipeline.processing import RequestError
from modules.pipeline.recipe import create_infotext
from modules.pipeline.sample import Samples, batch_noise, sampling_schedule, walk_pass
from modules.pipeline.save import save_sample

if TYPE_CHECKING:
    from modules.diffusion.schedulers import Scheduler
    from modules.pipeline.model import DiffusionModel
    from modules.pipeline.processing import StableDiffusionProcessingTxt2Img
    from modules.pipeline.run import Run

SAME_CHECKPOINT = "Use same checkpoint"
OLD_FIRST_PASS_PIXELS = 512 * 512


def prepare_hires(run: Run) -> None:
    """Check the second pass's fields, work out its size and prompts, and write its infotext keys."""
    p: Any = run.p
    p.latent_scale_mode = LATENT_MODES.get(p.hr_upscaler or "Latent")
    if p.latent_scale_mode is None and p.hr_upscaler not in run.runtime.upscaler_names():
        known = ", ".join([*LATENT_MODES, *run.runtime.upscaler_names()])
        raise RequestError("hr_upscaler", f"there is no upscaler '{p.hr_upscaler}'; known are {known}")
    if p.latent_scale_mode is None and run.runtime.upscalers is not None:
        run.runtime.upscalers.check(p.hr_upscaler)  # before the first pass, not after it
    if p.hr_checkpoint_name and p.hr_checkpoint_name != SAME_CHECKPOINT:
        if not run.runtime.knows_checkpoint(p.hr_checkpoint_name):
            raise RequestError("hr_checkpoint_name", f"checkpoint '{p.hr_checkpoint_name}' was not found")
        run.keep({"Hires checkpoint": run.runtime.checkpoint_title(p.hr_checkpoint_name)})
    if p.hr_sampler_name is not None and p.hr_sampler_name != run.sampler.label:
        run.keep({"Hires sampler": p.hr_sampler_name})
    _set_prompts(run, p)
    run.keep({"Hires schedule type": None})
    run.keep(target_resolution(p, old=bool(run.settings.use_old_hires_fix_width_height)))
    if p.hr_second_pass_steps:
        run.keep({"Hires steps": p.hr_second_pass_steps})
    if p.hr_upscaler is not None:
        run.keep({"Hires upscaler": p.hr_upscaler})
    run.runtime.state.job_count *= 2


def _set_prompts(run: Run, p: StableDiffusionProcessingTxt2Img) -> None:
    """The second pass's own prompts; they go into an infotext where they differ from its picture's."""
    count = p.batch_size * p.n_iter
    p.all_hr_prompts, p.all_hr_negative_prompts = run.styled(p.hr_prompt or p.prompt, p.hr_negative_prompt or p.negative_prompt, count)

    def differing(second: list[str], first: list[str]) -> Any:
        return lambda index=0, **_: second[index] if index < len(second) and second[index] != first[index] else None

    run.keep(
        {
            "Hires prompt": differing(p.all_hr_prompts, p.all_prompts),
            "Hires negative prompt": differing(p.all_hr_negative_prompts, p.all_negative_prompts),
        }
    )


def target_resolution(p: StableDiffusionProcessingTxt2Img, *, old: bool = False) -> dict[str, str | float]:
    """Set the second pass's size (and with the old rules the first's) on the request; returns the infotext keys."""
    if p.firstphase_width or p.firstphase_height:
        p.hr_upscale_to_x, p.hr_upscale_to_y = p.width, p.height
        p.width, p.height = p.firstphase_width, p.firstphase_height
        return {"Hires upscale": p.hr_scale}
    if old:
        p.hr_resize_x, p.hr_resize_y = p.width, p.height
        p.hr_upscale_to_x, p.hr_upscale_to_y = p.width, p.height
        p.width, p.height = old_first_pass_size(p.width, p.height)
    if not p.hr_resize_x and not p.hr_resize_y:
        p.hr_upscale_to_x, p.hr_upscale_to_y = int(p.width * p.hr_scale), int(p.height * p.hr_scale)
        return {"Hires upscale": p.hr_scale}
    _resize_to(p)
    return {"Hires resize": f"{p.hr_resize_x}x{p.hr_resize_y}"}


def _resize_to(p: StableDiffusionProcessingTxt2Img) -> None:
    x, y = p.hr_resize_x, p.hr_resize_y
    by_width, by_height = (x, x * p.height // p.width), (y * p.width // p.height, y)
    if y == 0:
        p.hr_upscale_to_x, p.hr_upscale_to_y = by_width
        return
    if x == 0:
        p.hr_upscale_to_x, p.hr_upscale_to_y = by_height
        return
    p.hr_upscale_to_x, p.hr_upscale_to_y = by_width if p.width / p.height < x / y else by_height
    p.truncate_x, p.truncate_y = (p.hr_upscale_to_x - x) // 8, (p.hr_upscale_to_y - y) // 8


def old_first_pass_size(width: int, height: int) -> tuple[int, int]:
    """The first pass of A1111 before its 2023 rework: about 512×512 pixels in steps of 64."""
    scale = math.sqrt(OLD_FIRST_PASS_PIXELS / (width * height))
    return math.ceil(scale * width / 64) * 64, math.ceil(scale * height / 64) * 64


def first_pass_picture(run: Run) -> tuple[Tensor | None, Tensor | None]:
    """A given picture in place of the first pass, as latents or as pixels, whichever the upscaler wants."""
    p: Any = run.p
    pixels = to_tensor([p.firstpass_image.convert("RGB")], run.model.device)
    if p.latent_scale_mode is None:
        return None, pixels
    return run.model.encode_sample(pixels, run.posterior), None


@torch.inference_mode()
def sample_hires(run: Run, latents: Tensor | None, decoded: Tensor | None) -> Samples:
    """Enlarge the first pass (its `latents`, or `decoded` pictures) and draw over it; pictures [B, 3, H, W] in -1..1."""
    p: Any = run.p
    state = run.runtime.state
    if latents is not None and (state.interrupted or state.skipped):
        return Samples(latents)
    p.is_hr_pass = True
    if p.latent_scale_mode is None and decoded is None and latents is not None:
        decoded = run.decode(latents, "first picture")
    run.use(_hires_model(run))
    if p.latent_scale_mode is None:
        assert decoded is not None
        enlarged, image = _enlarged_pixels(run, decoded)
    else:
        assert latents is not None
        enlarged = _enlarged_latents(run, latents)
        image = hires_conditioning(run, enlarged, None, run.posterior)
    state.nextjob()
    concat = None if image.concat is None else _cropped(p, image.concat)
    samples = _second_pass(run, _cropped(p, enlarged), ImageCond(concat, image.adm))
    pixels = run.decode(samples, "picture")
    p.is_hr_pass = False
    return Samples(pixels, decoded=True)


def _second_pass(run: Run, init: Tensor, image: ImageCond) -> Tensor:
    p: Any = run.p
    p.rng = batch_noise(run, *init.shape[2:])
    noise = p.rng.first()
    run.activate_networks()
    if not p.disable_extra_networks:
        told = {"batch_number": p.iteration, "prompts": p.prompts, "seeds": p.seeds, "subseeds": p.subseeds}
        p.hook("after_extra_networks_activate", **told, extra_network_data=p.hr_extra_network_data)
    sampler, scheduler = _sampler(run)
    plan = plan_img2img(
        sampler,
        scheduler.label,
        p.hr_second_pass_steps or p.steps,
        sampling_schedule(run),
        run.sampling_options,
        denoising_strength=0.75 if p.denoising_strength is None else p.denoising_strength,
        is_sdxl=run.model.is_sdxl,
        fields=run.request_fields,
        is_hires=True,
        first_schedule_type=p.extra_generation_params.get("Schedule type", run.scheduler.label),
    )
    texts = second_texts(run, sampler)
    if run.hypertile is not None:
        run.hypertile.begin_second_pass()
    p.hook("before_hr")
    return walk_pass(run, plan, texts, image, noise, init)


def second_texts(run: Run, sampler: SamplerInfo) -> PassTexts:
    """What the second pass is conditioned on; editing goes on where the first pass ended."""
    p: Any = run.p
    return PassTexts(
        tuple(p.hr_prompts),
        tuple(p.hr_negative_prompts),
        p.hr_upscale_to_x,
        p.hr_upscale_to_y,
        run.sampler.total_steps(p.steps),
        sampler.total_steps(p.hr_second_pass_steps or p.steps),
    )


def _hires_model(run: Run) -> DiffusionModel:
    """The second pass's checkpoint: its own, else the job's main one, whatever a refiner has changed."""
    name = getattr(run.p, "hr_checkpoint_name", None)
    if not name or name == SAME_CHECKPOINT:
        return run.main_model
    model = run.runtime.load_model(name, run.settings)
    if run.p.latent_scale_mode is not None and model.latent_channels != run.main_model.latent_channels:  # type: ignore[attr-defined]
        problem = f"'{model.name}' has latents of another kind than '{run.main_model.name}'; choose an upscaler of pictures for it"
        raise RequestError("hr_checkpoint_name", problem)
    return model


def _sampler(run: Run) -> tuple[SamplerInfo, Scheduler]:
    """The second pass's sampler and schedule; what is not given is the first pass's."""
    p: Any = run.p
    name = p.hr_sampler_name if p.hr_sampler_name not in (None, "", "Use same sampler") else run.sampler.label
    schedule = p.hr_scheduler if p.hr_scheduler not in (None, "", "Use same scheduler") else run.scheduler.label
    return resolve(name, schedule)


def _enlarged_latents(run: Run, latents: Tensor) -> Tensor:
    p: Any = run.p
    if run.settings.save_images_before_highres_fix and run.saves_samples:
        _save_first_pass(run, run.model.decode(latents))
    size = (p.hr_upscale_to_y // 8, p.hr_upscale_to_x // 8)
    return functional.interpolate(latents, size=size, **p.latent_scale_mode)


def _enlarged_pixels(run: Run, decoded: Tensor) -> tuple[Tensor, ImageCond]:
    """Latents of the decoded pictures, enlarged by the chosen upscaler, and what the model is told about them.

    Posterior noise goes on in the stream that the first pass began with the batch's last seed.
    """
    p: Any = run.p
    if run.settings.save_images_before_highres_fix and run.saves_samples:
        _save_first_pass(run, decoded)
    size = (p.hr_upscale_to_x, p.hr_upscale_to_y)
    images = [resize_image(0, image, *size, upscale=run.upscaler(p.hr_upscaler)) for image in to_images(decoded)]
    pixels = to_tensor(images, run.model.device)
    latents = encode_pictures(run, pixels, run.posterior)
    return latents, hires_conditioning(run, latents, pixels, run.posterior)


def _save_first_pass(run: Run, decoded: Tensor) -> None:
    for offset, image in enumerate(to_images(decoded)):
        index = run.p.iteration * run.p.batch_size + offset
        save_sample(run, image, index, create_infotext(run, index), suffix="-before-highres-fix")


def _cropped(p: Any, latents: Tensor) -> Tensor:
    """Without the cells that stick out of the wanted size."""
    x, y = p.truncate_x, p.truncate_y
    return latents[:, :, y // 2 : latents.shape[2] - (y + 1) // 2, x // 2 : latents.shape[3] - (x + 1) // 2]
