"""DDIM (Song et al. 2021) and DDIM CFG++ (Chung et al. 2024) on a list of integer timesteps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class DDIMTable:
    """ᾱ at the listed timesteps and at the one before each (the first one's predecessor is t = 0)."""

    alphas: Tensor
    alphas_prev: Tensor

    @classmethod
    def of(cls, alphas_cumprod: Tensor, timesteps: Tensor) -> DDIMTable:
        """alphas keep the table's dtype; alphas_prev are float64."""
        table, timesteps = alphas_cumprod.cpu(), timesteps.cpu().long()
        before = torch.cat([timesteps.new_zeros(1), timesteps[:-1]])[: len(timesteps)]
        return cls(table[timesteps], table[before].to(torch.float64))

    def sigma(self, index: int, eta: float) -> float:
        """Standard deviation of the fresh noise of step `index`."""
        a, a_prev = self.alphas[index], self.alphas_prev[index]
        return float(eta * ((1 - a_prev) / (1 - a) * (1 - a / a_prev)).sqrt())

    def step(self, x: Tensor, eps: Tensor, direction: Tensor, index: int, sigma: float = 0.0) -> tuple[Tensor, Tensor]:
        """The next x (without fresh noise) and the predicted x0, for the noise `eps` and the direction back `direction`."""
        ones = x.new_ones((x.shape[0], 1, 1, 1))
        a, a_prev = self.alphas[index].item() * ones, self.alphas_prev[index].item() * ones
        root = torch.sqrt(1 - self.alphas)[index].item() * ones
        x0 = (x - root * eps) / a.sqrt()
        return a_prev.sqrt() * x0 + (1.0 - a_prev - (sigma * ones) ** 2).sqrt() * direction, x0


def _walk(
    model: Callable[..., Tensor],
    x: Tensor,
    timesteps: Tensor,
    alphas_cumprod: Tensor,
    extra_args: dict[str, Any] | None,
    callback: Callable[[dict[str, Any]], None] | None,
    eta: float,
    noise_sampler: Callable[[Tensor, Tensor], Tensor] | None,
    direction_of: Callable[[Tensor], Tensor],
) -> Tensor:
    extra_args = extra_args or {}
    table = DDIMTable.of(alphas_cumprod, timesteps)
    s_in = x.new_ones([x.shape[0]])
    # A1111: index 0 is never run, so the walk ends at the noise level of the first timestep.
    for i, index in enumerate(range(len(timesteps) - 1, 0, -1)):
        eps = model(x, timesteps[index].item() * s_in, **extra_args)
        sigma = table.sigma(index, eta)
        stepped, x0 = table.step(x, eps, direction_of(eps), index, sigma)
        # A1111: noise is drawn at every step, also with eta 0; it moves the stream on.
        noise = torch.randn_like(x) if noise_sampler is None else noise_sampler(timesteps[index], timesteps[index - 1])
        if callback is not None:
            callback({"x": x, "i": i, "sigma": 0, "sigma_hat": 0, "denoised": x0})
        x = stepped + sigma * noise
    return x


@torch.no_grad()
def sample_ddim(
    model: Callable[..., Tensor],
    x: Tensor,
    timesteps: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callable[[dict[str, Any]], None] | None = None,
    disable: bool | None = None,
    *,
    alphas_cumprod: Tensor,
    eta: float = 0.0,
    noise_sampler: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """`model(x, t) -> eps`. timesteps: ascending integers [L]; L − 1 evaluations and as many draws. eta in [0, 1]."""
    return _walk(model, x, timesteps, alphas_cumprod, extra_args, callback, eta, noise_sampler, lambda eps: eps)


@torch.no_grad()
def sample_ddim_cfgpp(
    model: Callable[..., Tensor],
    x: Tensor,
    timesteps: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callable[[dict[str, Any]], None] | None = None,
    disable: bool | None = None,
    *,
    alphas_cumprod: Tensor,
    eta: float = 0.0,
    noise_sampler: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """As `sample_ddim`, but the direction back is the unconditional eps, which the model leaves in its attribute `last_uncond`."""

    def uncond(_: Tensor) -> Tensor:
        return model.last_uncond  # type: ignore[attr-defined]

    return _walk(model, x, timesteps, alphas_cumprod, extra_args, callback, eta, noise_sampler, uncond)
