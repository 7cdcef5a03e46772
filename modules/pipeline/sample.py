"""The passes of one batch: noise, conditionings, the walk of the sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules import events
from modules.diffusion.plan import SamplingPlan, plan_img2img, plan_txt2img
from modules.diffusion.rng import ImageRNG
from modules.diffusion.sampling import initial_latent
from modules.diffusion.sampling import run as walk
from modules.diffusion.schedule import DiscreteSchedule, apply_overrides
from modules.pipeline.conditioning_image import txt2img_conditioning
from modules.pipeline.encode import PassTexts, encode_pass
from modules.pipeline.guided import GuidedModel
from modules.pipeline.masking import blend_mask
from modules.pipeline.model import ImageCond
from modules.pipeline.optimizations import quicker_pass
from modules.pipeline.preview import Previewer
from modules.pipeline.state import Interrupted

if TYPE_CHECKING:
    from modules.diffusion.samplers.registry import SamplerInfo
    from modules.pipeline.conditions import BatchConditions
    from modules.pipeline.run import Run


@dataclass
class Samples:
    """What sampling a batch gave: latents [B, C, h, w], or pictures [B, 3, H, W] in -1..1 where they are `decoded` already."""

    tensor: Tensor
    decoded: bool = False


@dataclass
class SamplerHandle:
    """The sampler of the running pass as scripts find it at `p.sampler`."""

    config: SamplerInfo
    plan: SamplingPlan
    model_wrap_cfg: GuidedModel

    @property
    def sampler_name(self) -> str:
        return self.config.label


def batch_noise(run: Run, height: int, width: int) -> ImageRNG:
    """The noise streams of the current batch for latents of `height` × `width` cells."""
    p, settings = run.p, run.settings
    return ImageRNG(
        (run.model.latent_channels, height, width),
        p.seeds,
        p.subseeds,
        p.subseed_strength,
        p.seed_resize_from_h,
        p.seed_resize_from_w,
        source=settings.randn_source,
        device=run.model.device,
        eta_noise_seed_delta=int(settings.eta_noise_seed_delta),
    )


def sample_txt2img(run: Run) -> Samples:
    """The first pass from noise, and the second where the request has one."""
    from modules.pipeline.hires import first_pass_picture, sample_hires

    p = run.p
    hires = bool(getattr(p, "enable_hr", False))
    run.posterior = torch.Generator().manual_seed(p.seeds[-1])
    if hires and p.firstpass_image is not None:
        return sample_hires(run, *first_pass_picture(run))
    schedule = sampling_schedule(run)
    plan = plan_txt2img(
        run.sampler,
        run.scheduler.label,
        p.steps,
        schedule,
        run.sampling_options,
        is_sdxl=run.model.is_sdxl,
        fields=run.request_fields,
    )
    noise = p.rng.first()
    image = txt2img_conditioning(run, len(noise), p.height, p.width, run.posterior)
    x = walk_pass(run, plan, first_texts(run), image, noise, None)
    return sample_hires(run, x, None) if hires else Samples(x)


def sample_img2img(run: Run) -> Samples:
    """One pass from the noised latent of the init picture, `p.init_latent`."""
    p = run.p
    strength = 0.75 if p.denoising_strength is None else p.denoising_strength
    schedule = sampling_schedule(run)
    noise = _multiplied(run, p.rng.first())
    plan = plan_img2img(
        run.sampler,
        run.scheduler.label,
        p.steps,
        schedule,
        run.sampling_options,
        denoising_strength=strength,
        is_sdxl=run.model.is_sdxl,
        fields=run.request_fields,
    )
    x = walk_pass(run, plan, first_texts(run), p.image_conditioning or ImageCond(), noise, p.init_latent)
    return Samples(blend_mask(p, x))


def _multiplied(run: Run, noise: Tensor) -> Tensor:
    given = getattr(run.p, "initial_noise_multiplier", None)
    multiplier = float(run.settings.initial_noise_multiplier if given is None else given)
    if multiplier == 1.0:
        return noise
    run.keep({"Noise multiplier": multiplier})
    return noise * multiplier


def first_texts(run: Run) -> PassTexts:
    """What the first pass, or the only one, is conditioned on."""
    p = run.p
    return PassTexts(tuple(p.prompts), tuple(p.negative_prompts), p.width, p.height, run.sampler.total_steps(p.steps))


def first_conditions(run: Run) -> BatchConditions:
    """The conditionings of the first pass, or the only one."""
    return encode_pass(run, first_texts(run))


def sampling_schedule(run: Run) -> DiscreteSchedule:
    """The model's noise levels under the settings in force."""
    options = run.sampling_options
    if run.model.prediction == "flow":
        return run.model.flow_schedule()
    alphas, infotext = apply_overrides(run.model.alphas_cumprod, options)
    run.keep(infotext)
    return DiscreteSchedule(alphas, quantize=options.enable_quantization)


@torch.inference_mode()
def walk_pass(run: Run, plan: SamplingPlan, texts: PassTexts, image: ImageCond, noise: Tensor, init: Tensor | None) -> Tensor:
    """Walk a plan from `noise` [B, C, h, w] or the noised `init`; returns latents [B, C, h, w].

    When the job is stopped in the middle, the latest prediction of the picture is the result.
    """
    p, state = run.p, run.runtime.state
    run.eta = plan.eta
    key = run.key("hires" if p.is_hr_pass else "first")
    guided = GuidedModel(run, plan, texts, image, key)
    c, uc = guided.conditions.positive, guided.conditions.negative
    if p.is_hr_pass:
        p.hr_c, p.hr_uc = c, uc  # type: ignore[attr-defined]
    p.sampler = SamplerHandle(plan.sampler, plan, guided)
    p.hook("process_before_every_sampling", x=noise if init is None else init, noise=noise, c=c, uc=uc)
    run.keep(plan.infotext)

    def extra_noise(added: Tensor, noised: Tensor) -> Tensor:
        params = events.ExtraNoiseParams(added, init, noised)
        events.fire("extra_noise", params)
        return params.noise

    x = initial_latent(plan, noise, init, extra_noise)
    previewer = Previewer(run.model, run.settings, state, run.runtime.approximations)
    state.sampling_steps, state.sampling_step = plan.steps, 0

    def on_step(info: dict[str, Any]) -> None:
        guided.callback_step = int(info["i"])
        state.sampling_step = guided.callback_step + 1
        if guided.preview is not None:
            previewer.offer(guided.preview, state.sampling_step, run.model)
        run.check(key, guided.step)

    try:
        with quicker_pass(run):
            return walk(plan, guided, x, p.rng, on_step)
    except Interrupted:
        run.note_stop(key, guided.step)
        return guided.last_denoised if guided.last_denoised is not None else x
