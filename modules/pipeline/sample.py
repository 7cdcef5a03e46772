"""One batch: noise, conditionings, the walk of the sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules.diffusion.plan import SamplingPlan, plan_txt2img
from modules.diffusion.rng import ImageRNG
from modules.diffusion.sampling import initial_latent
from modules.diffusion.sampling import run as walk
from modules.diffusion.schedule import DiscreteSchedule, apply_overrides
from modules.pipeline.conditions import BatchConditions, ConditionBuilder
from modules.pipeline.guided import GuidedModel
from modules.pipeline.preview import Previewer
from modules.pipeline.state import Interrupted
from modules.pipeline.text import SizeConditioning, TextConditioner
from modules.prompt.extra_networks import parse_prompts

if TYPE_CHECKING:
    from modules.pipeline.run import Run


@torch.inference_mode()
def sample_batch(run: Run, iteration: int, on_ready: Callable[[], None] = lambda: None) -> Tensor:
    """Latents [B, C, h, w] of one batch; `on_ready` is called when everything is prepared and sampling begins.

    When the job is stopped in the middle, the latest prediction of the picture is the result.
    """
    p, model, rows = run.p, run.model, run.batch(iteration)
    rng = _noise(run, rows)
    prompts, networks = parse_prompts(run.all_prompts[rows])
    for kind in networks:
        p.comment(f"<{kind}:…> was left out: networks in the prompt are not built in yet")
    plan = _plan(run)
    text = TextConditioner(model, run.settings)
    conditions = _conditions(run, text, plan, prompts, run.all_negative_prompts[rows])
    on_ready()
    run.keep(plan.infotext)
    guided = GuidedModel(
        model,
        plan,
        conditions,
        run.settings,
        cfg_scale=p.cfg_scale,
        s_min_uncond=_s_min_uncond(run),
        concat=model.text_only_conditioning(p.height // 8 * 8, p.width // 8 * 8),
        empty_prompt=lambda: text.encode([""], SizeConditioning(p.width, p.height))[0].crossattn,
        check=run.runtime.state.raise_if_stopped,
    )
    latents = _walk(run, plan, guided, initial_latent(plan, rng.first()), rng)
    run.keep(guided.infotext)
    return latents


def _noise(run: Run, rows: slice) -> ImageRNG:
    p, settings = run.p, run.settings
    return ImageRNG(
        (run.model.latent_channels, p.height // 8, p.width // 8),
        run.all_seeds[rows],
        run.all_subseeds[rows],
        p.subseed_strength,
        p.seed_resize_from_h,
        p.seed_resize_from_w,
        source=settings.randn_source,
        device=run.model.device,
        eta_noise_seed_delta=int(settings.eta_noise_seed_delta),
    )


def _plan(run: Run) -> SamplingPlan:
    options = run.sampling_options
    alphas, infotext = apply_overrides(run.model.alphas_cumprod, options)
    run.keep(infotext)
    schedule = DiscreteSchedule(alphas, quantize=options.enable_quantization)
    plan = plan_txt2img(
        run.sampler,
        run.scheduler.label,
        run.p.steps,
        schedule,
        options,
        is_sdxl=run.model.is_sdxl,
        fields=run.request_fields,
    )
    run.eta = plan.eta
    return plan


def _conditions(
    run: Run, text: TextConditioner, plan: SamplingPlan, prompts: list[str], negatives: list[str]
) -> BatchConditions:
    p, settings = run.p, run.settings

    def encode(negative: bool) -> Callable[[list[str]], Any]:
        size = SizeConditioning.of(settings, p.width, p.height, negative=negative)
        return lambda texts: text.encode(texts, size, negative=negative)

    builder = ConditionBuilder(
        evaluations=run.sampler.total_steps(p.steps),
        use_old_scheduling=bool(settings.use_old_scheduling),
        blend_mode=settings.prompt_blend,
    )
    conditions = builder.build(prompts, negatives, encode(False), encode(True))
    run.keep(builder.infotext)
    if settings.emphasis != "Original" and any(mark in t for t in (*prompts, *negatives) for mark in "(["):
        run.keep({"Emphasis": settings.emphasis})
    return conditions


def _walk(run: Run, plan: SamplingPlan, guided: GuidedModel, x: Tensor, rng: ImageRNG) -> Tensor:
    state = run.runtime.state
    previewer = Previewer(run.model, run.settings, state)
    state.sampling_steps, state.sampling_step = plan.steps, 0

    def on_step(info: dict[str, Any]) -> None:
        state.sampling_step = int(info["i"]) + 1
        if guided.last_denoised is not None:
            previewer.offer(guided.last_denoised, state.sampling_step)
        state.raise_if_stopped()

    try:
        return walk(plan, guided, x, rng, on_step)
    except Interrupted:
        return guided.last_denoised if guided.last_denoised is not None else x


def _s_min_uncond(run: Run) -> float:
    value = run.p.s_min_uncond
    return float(run.settings.s_min_uncond if value is None else value)
