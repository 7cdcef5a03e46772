"""From a network that predicts noise or velocity to a denoiser D(x; σ), or to the noise at timestep t.

`apply_model(x, t, **cond) -> tensor` is the network: x [B, C, h, w] already scaled, t [B] (fractional float, or int64 when
quantized). Source: Karras et al. 2022, table 1; Salimans & Ho 2022 (v prediction).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor

from modules.diffusion.schedule import DiscreteSchedule, FlowSchedule, LCMSchedule

ApplyModel = Callable[..., Tensor]
Prediction = Literal["eps", "v", "flow"]


def _as(sigma: Tensor, x: Tensor) -> Tensor:
    return sigma.reshape(-1, *(1,) * (x.ndim - 1))


class EpsDenoiser:
    """D = x − σ·F(x/√(σ²+1), t(σ)) for a network that predicts noise."""

    def __init__(self, apply_model: ApplyModel, schedule: DiscreteSchedule) -> None:
        self.apply_model, self.schedule = apply_model, schedule

    def __call__(self, x: Tensor, sigma: Tensor, **cond: Any) -> Tensor:
        """x [B, C, h, w], sigma [B] -> denoised [B, C, h, w]."""
        c_out, c_in = _as(-sigma, x), _as(1 / (sigma**2 + 1.0) ** 0.5, x)
        return x + self.apply_model(x * c_in, self.schedule.sigma_to_t(sigma), **cond) * c_out


class VDenoiser:
    """D = x/(σ²+1) − σ/√(σ²+1)·F(x/√(σ²+1), t(σ)) for a network that predicts velocity."""

    def __init__(self, apply_model: ApplyModel, schedule: DiscreteSchedule) -> None:
        self.apply_model, self.schedule = apply_model, schedule

    def __call__(self, x: Tensor, sigma: Tensor, **cond: Any) -> Tensor:
        """x [B, C, h, w], sigma [B] -> denoised [B, C, h, w]."""
        c_skip = _as(1.0 / (sigma**2 + 1.0), x)
        c_out, c_in = _as(-sigma / (sigma**2 + 1.0) ** 0.5, x), _as(1 / (sigma**2 + 1.0) ** 0.5, x)
        return self.apply_model(x * c_in, self.schedule.sigma_to_t(sigma), **cond) * c_out + x * c_skip


class FlowDenoiser:
    """D = x − σ·F(x, 1000σ) for a rectified-flow network (SD3)."""

    def __init__(self, apply_model: ApplyModel, schedule: FlowSchedule) -> None:
        self.apply_model, self.schedule = apply_model, schedule

    def __call__(self, x: Tensor, sigma: Tensor, **cond: Any) -> Tensor:
        """x [B, C, h, w], sigma [B] -> denoised [B, C, h, w]."""
        return x - self.apply_model(x, sigma * len(self.schedule.sigmas), **cond) * _as(sigma, x)


class LCMDenoiser:
    """The consistency function of a latent consistency model: c_skip·x + c_out·(x − σ·F), τ = 10·t."""

    SIGMA_DATA = 0.5
    TIMESTEP_SCALING = 10.0

    def __init__(self, apply_model: ApplyModel, schedule: LCMSchedule) -> None:
        self.apply_model, self.schedule = apply_model, schedule

    def scaled(self, sigma: Tensor, x0: Tensor, x: Tensor) -> Tensor:
        """The mixture of the predicted x0 with x that is exact at t = 0."""
        tau = self.schedule.sigma_to_t(sigma) * self.TIMESTEP_SCALING
        variance = self.SIGMA_DATA**2
        return _as(tau / (tau**2 + variance) ** 0.5, x) * x0 + _as(variance / (tau**2 + variance), x) * x

    def __call__(self, x: Tensor, sigma: Tensor, **cond: Any) -> Tensor:
        """x [B, C, h, w], sigma [B] -> denoised [B, C, h, w]."""
        c_out, c_in = _as(-sigma, x), _as(1 / (sigma**2 + 1.0) ** 0.5, x)
        eps = self.apply_model(x * c_in, self.schedule.sigma_to_t(sigma), **cond)
        return self.scaled(sigma, x + eps * c_out, x)


class TimestepDenoiser:
    """eps at timestep t, for the samplers that step through t: the network itself, or computed from its velocity."""

    def __init__(self, apply_model: ApplyModel, schedule: DiscreteSchedule, prediction: Prediction = "eps") -> None:
        self.apply_model, self.schedule, self.prediction = apply_model, schedule, prediction

    def __call__(self, x: Tensor, t: Tensor, **cond: Any) -> Tensor:
        """x [B, C, h, w], t [B] -> eps [B, C, h, w]."""
        output = self.apply_model(x, t, **cond)
        if self.prediction != "v":
            return output
        # A1111: a fractional t (UniPC) is truncated for this lookup only.
        alphas = self.schedule.alphas_cumprod.to(x.device)[t.long()]
        return _as(alphas.sqrt(), x) * output + _as((1 - alphas).sqrt(), x) * x


Denoiser = EpsDenoiser | VDenoiser | FlowDenoiser | LCMDenoiser | TimestepDenoiser


def make_denoiser(family: str, apply_model: ApplyModel, schedule: DiscreteSchedule, prediction: Prediction = "eps") -> Denoiser:
    """The wrapper for a sampler family ("k" | "timestep"), the plan's schedule and the network's prediction."""
    if family == "timestep":
        return TimestepDenoiser(apply_model, schedule, prediction)
    if isinstance(schedule, LCMSchedule):
        return LCMDenoiser(apply_model, schedule)
    if isinstance(schedule, FlowSchedule):
        return FlowDenoiser(apply_model, schedule)
    return VDenoiser(apply_model, schedule) if prediction == "v" else EpsDenoiser(apply_model, schedule)
