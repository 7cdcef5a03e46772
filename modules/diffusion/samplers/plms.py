"""PLMS (Liu et al., "Pseudo Numerical Methods for Diffusion Models on Manifolds", 2022)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from modules.diffusion.samplers.ddim import DDIMTable


def adams_bashforth(eps: Tensor, history: list[Tensor]) -> Tensor:
    """The multistep mean of eps and up to three earlier ones (newest last); the first step is not its business."""
    if len(history) == 1:
        return (3 * eps - history[-1]) / 2
    if len(history) == 2:
        return (23 * eps - 16 * history[-1] + 5 * history[-2]) / 12
    return (55 * eps - 59 * history[-1] + 37 * history[-2] - 9 * history[-3]) / 24


@torch.no_grad()
def sample_plms(
    model: Callable[..., Tensor],
    x: Tensor,
    timesteps: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callable[[dict[str, Any]], None] | None = None,
    disable: bool | None = None,
    *,
    alphas_cumprod: Tensor,
) -> Tensor:
    """`model(x, t) -> eps`. timesteps: ascending integers [L]; L evaluations (the first step costs two), no draws."""
    extra_args = extra_args or {}
    table = DDIMTable.of(alphas_cumprod, timesteps)
    s_in = x.new_ones([x.shape[0]])
    history: list[Tensor] = []
    # A1111: index 0 is never run.
    for i, index in enumerate(range(len(timesteps) - 1, 0, -1)):
        eps = model(x, timesteps[index].item() * s_in, **extra_args)
        if history:
            mean = adams_bashforth(eps, history)
        else:
            ahead, _ = table.step(x, eps, eps, index)
            mean = (eps + model(ahead, timesteps[index - 1].item() * s_in, **extra_args)) / 2
        stepped, x0 = table.step(x, mean, mean, index)
        if callback is not None:
            callback({"x": x, "i": i, "sigma": 0, "sigma_hat": 0, "denoised": x0})
        history = [*history[-2:], eps]
        x = stepped
    return x
