"""Restart sampling (Xu et al., "Restart Sampling for Improving Generative Processes", 2023) on Heun steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from modules.diffusion.sigmas import karras

RESTART_FROM, RESTART_TO = 0.1, 2.0
SHORTEST, LONG = 20, 36


def restart_steps(sigmas: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The walk as (σ, σ') pairs: a Karras list down to σ ≈ 0.1, one or two stretches again from σ ≈ 2, and the rest.

    Below 20 steps: the list as given. The number of steps stays that of the list.
    """
    steps = len(sigmas) - 1
    if steps < SHORTEST:
        return list(zip(sigmas[:-1], sigmas[1:], strict=True))
    length, times = (steps // 4, 2) if steps >= LONG else (9, 1)
    # A1111: whatever schedule was chosen, the base list becomes Karras between its ends.
    base = karras(steps - length * times, sigmas[-2].item(), sigmas[0].item(), sigmas.device)
    bottom, top = (int(torch.argmin((base - sigma).abs())) for sigma in (RESTART_FROM, RESTART_TO))
    pairs = list(zip(base[:-1], base[1:], strict=True))
    if top >= bottom:
        return pairs
    again = karras(length + 1, base[bottom].item(), base[top].item(), sigmas.device)[:-1]
    return pairs[:bottom] + list(zip(again[:-1], again[1:], strict=True)) * times + pairs[bottom:]


@torch.no_grad()
def sample_restart(
    model: Callable[..., Tensor],
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callable[[dict[str, Any]], None] | None = None,
    disable: bool | None = None,
    s_noise: float = 1.0,
    noise_sampler: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """Heun steps over `restart_steps(sigmas)`; where σ jumps up, noise is added. x [B, C, h, w]; one draw per jump."""
    extra_args = extra_args or {}
    s_in = x.new_ones([x.shape[0]])
    last = None
    for i, (sigma, sigma_next) in enumerate(restart_steps(sigmas)):
        if last is not None and last < sigma:
            noise = torch.randn_like(x) if noise_sampler is None else noise_sampler(last, sigma)
            x = x + noise * s_noise * (sigma**2 - last**2) ** 0.5
        denoised = model(x, sigma * s_in, **extra_args)
        slope = (x - denoised) / sigma
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigma_next, "sigma_hat": sigma, "denoised": denoised})
        dt = sigma_next - sigma
        if sigma_next == 0:
            x = x + slope * dt
        else:
            predicted = x + slope * dt
            slope_2 = (predicted - model(predicted, sigma_next * s_in, **extra_args)) / sigma_next
            x = x + (slope + slope_2) / 2 * dt
        last = sigma_next
    return x
