"""Carrying out a plan: the first latent, and the sampler with its noise.

    sampler, scheduler = resolve("DPM++ 2M", "Karras")
    plan = plan_txt2img(sampler, scheduler.label, 20, schedule, SamplingOptions.from_settings(settings))
    rng = ImageRNG((4, 64, 64), seeds, source="CPU")
    x = initial_latent(plan, rng.first())
    latent = run(plan, model, x, rng, callback)

`model(x, sigma[B], **extra_args) -> denoised` for the "k" family, `model(x, t[B], **extra_args) -> eps` for the "timestep"
family; guidance happens inside. For DDIM CFG++ the model also keeps the unconditional eps of its last call in `last_uncond`
and multiplies its CFG scale by `guidance.CFGPP_SCALE`. The denoisers of `denoiser.make_denoiser(plan.sampler.family,
apply_model, plan.schedule, prediction)` are the inner part of such a model.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from modules.diffusion.brownian import BrownianNoiseSampler
from modules.diffusion.errors import SizeMismatch
from modules.diffusion.kdiffusion import noise_stream
from modules.diffusion.plan import SamplingPlan

Callback = Callable[[dict[str, Any]], None]


class NoiseStream(Protocol):
    """What `run` needs of an `ImageRNG`."""

    seeds: list[int]
    source: Any

    def next(self) -> Tensor:
        """Fresh noise [B, C, h, w]."""


def initial_latent(
    plan: SamplingPlan, noise: Tensor, init: Tensor | None = None, extra_noise_hook: Callable[[Tensor, Tensor], Tensor] | None = None
) -> Tensor:
    """The latent the walk starts from: scaled noise (txt2img), or `init` noised to the first level (img2img). All [B, C, h, w].

    extra_noise_hook: called with (noise, noised latent) where `img2img_extra_noise` applies; returns the noise to add.
    """
    if plan.kind == "txt2img":
        return _scaled_noise(plan, noise)
    if init is None:
        raise SizeMismatch("an img2img plan needs the latent of the initial picture; give it as `init`")
    if plan.is_empty and plan.noise_timestep is None:
        return init
    x, share = _noised(plan, init, noise)
    extra = plan.options.img2img_extra_noise
    if extra > 0:
        noise = noise if extra_noise_hook is None else extra_noise_hook(noise, x)
        x = x + noise * extra * share
    return x


def _scaled_noise(plan: SamplingPlan, noise: Tensor) -> Tensor:
    if plan.sigmas is None:
        return noise
    if plan.options.sgm_noise_multiplier:
        return noise * torch.sqrt(1.0 + plan.sigmas[0] ** 2.0)
    return noise * plan.sigmas[0]


def _noised(plan: SamplingPlan, init: Tensor, noise: Tensor) -> tuple[Tensor, Tensor | float]:
    """The noised latent, and the share of extra noise that is added to it."""
    if plan.sigmas is not None:
        sigma = plan.sigmas[0]
        return (init * (1 - sigma) + noise * sigma if plan.schedule.flow else init + noise * sigma), 1.0
    alpha = plan.schedule.alphas_cumprod.cpu()[plan.noise_timestep]
    return init * torch.sqrt(alpha) + noise * torch.sqrt(1 - alpha), torch.sqrt(alpha)


def brownian_noise(plan: SamplingPlan, x: Tensor, rng: NoiseStream) -> BrownianNoiseSampler:
    """The noise of an SDE sampler: one tree per image over the full schedule, or one for the batch with the old setting."""
    whole_batch = plan.options.no_dpmpp_sde_batch_determinism
    sigmas = plan.sigmas if whole_batch else plan.full_sigmas
    assert sigmas is not None
    low, high = sigmas[sigmas > 0].min().item(), sigmas.max().item()
    seeds = None if whole_batch else rng.seeds
    if seeds is not None and len(seeds) != x.shape[0]:
        raise SizeMismatch(f"{len(seeds)} seeds for {x.shape[0]} images; give one seed per image")
    return BrownianNoiseSampler(tuple(x.shape), low, high, seeds, source=rng.source, device=x.device)


def run(
    plan: SamplingPlan,
    model: Callable[..., Tensor],
    x: Tensor,
    rng: NoiseStream,
    callback: Callback | None = None,
    extra_args: dict[str, Any] | None = None,
) -> Tensor:
    """Walks the plan from x [B, C, h, w] and returns the final latent.

    callback gets k-diffusion's dictionary (x, i, sigma, sigma_hat, denoised) once per step. Whatever the model or the
    callback raises passes through.
    """
    if plan.is_empty:
        return x
    function = plan.sampler.load()
    accepted = inspect.signature(function).parameters
    kwargs: dict[str, Any] = {"extra_args": extra_args, "callback": callback, "disable": True, **plan.kwargs}
    if plan.timesteps is not None:
        kwargs |= {"timesteps": plan.timesteps, "alphas_cumprod": plan.schedule.alphas_cumprod}
    elif "sigmas" in accepted:
        kwargs["sigmas"] = plan.sigmas
    if plan.sampler.brownian:
        kwargs["noise_sampler"] = brownian_noise(plan, x, rng)
    elif "noise_sampler" in accepted:
        kwargs["noise_sampler"] = lambda *levels: rng.next()
    with noise_stream(lambda like: rng.next()):
        return function(model, x, **kwargs)
