"""The formulas of the σ lists. Each takes n and the ends of the range, and returns float32 on the CPU, descending, with a final 0.

The common signature is (n, sigma_min, sigma_max, device, …); what a formula needs besides is named in `schedulers.SCHEDULERS`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modules.diffusion.schedule import DiscreteSchedule

ALIGN_YOUR_STEPS = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
ALIGN_YOUR_STEPS_SDXL = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)
"""Sabour et al., "Align Your Steps" (2024), the published tables."""


def _with_zero(values: Any, device: Any = "cpu") -> Tensor:
    return torch.cat([torch.as_tensor(values, dtype=torch.float32), torch.zeros(1)]).to(device)


def uniform(n: int, sigma_min: float, sigma_max: float, device: Any, inner_model: DiscreteSchedule) -> Tensor:
    """The model's own schedule; the range is ignored."""
    return inner_model.get_sigmas(n).to(device)


def karras(n: int, sigma_min: float, sigma_max: float, device: Any = "cpu", rho: float = 7.0) -> Tensor:
    """Karras et al. 2022, equation 5."""
    ramp = torch.linspace(0, 1, n)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return _with_zero((high + ramp * (low - high)) ** rho, device)


def exponential(n: int, sigma_min: float, sigma_max: float, device: Any = "cpu") -> Tensor:
    """Even steps in log σ."""
    return _with_zero(torch.linspace(math.log(sigma_max), math.log(sigma_min), n).exp(), device)


def polyexponential(n: int, sigma_min: float, sigma_max: float, device: Any = "cpu", rho: float = 1.0) -> Tensor:
    """Steps in log σ along a power curve."""
    ramp = torch.linspace(1, 0, n) ** rho
    return _with_zero(torch.exp(ramp * (math.log(sigma_max) - math.log(sigma_min)) + math.log(sigma_min)), device)


def _ends_in_time(inner_model: DiscreteSchedule, sigma_min: float, sigma_max: float) -> tuple[float, float]:
    start, end = (inner_model.sigma_to_t(torch.tensor(float(sigma))) for sigma in (sigma_max, sigma_min))
    return start.item(), end.item()


def _sigmas_at(inner_model: DiscreteSchedule, timesteps: Tensor) -> Tensor:
    return torch.stack([inner_model.t_to_sigma(t) for t in timesteps]) if len(timesteps) else timesteps


def sgm_uniform(n: int, sigma_min: float, sigma_max: float, device: Any, inner_model: DiscreteSchedule) -> Tensor:
    """Even timesteps with the last one left out."""
    start, end = _ends_in_time(inner_model, sigma_min, sigma_max)
    return _with_zero(_sigmas_at(inner_model, torch.linspace(start, end, n + 1)[:-1]), device)


def normal(n: int, sigma_min: float, sigma_max: float, device: Any, inner_model: DiscreteSchedule) -> Tensor:
    """Even timesteps between the ends."""
    start, end = _ends_in_time(inner_model, sigma_min, sigma_max)
    return _with_zero(_sigmas_at(inner_model, torch.linspace(start, end, n)), device)


def kl_optimal(n: int, sigma_min: float, sigma_max: float, device: Any = "cpu") -> Tensor:
    """The KL-optimal schedule of "Align Your Steps": arctangents evenly spaced."""
    low, high = torch.arctan(torch.tensor(float(sigma_min))), torch.arctan(torch.tensor(float(sigma_max)))
    ramp = torch.arange(n + 1) / n
    # A1111: n + 1 values that end at sigma_min, without a final 0.
    return torch.tan(ramp * low + (1.0 - ramp) * high).to(device)


def align_your_steps(n: int, sigma_min: float, sigma_max: float, device: Any, is_sdxl: bool = False) -> Tensor:
    """The published table, resampled log-linearly to n values; the range is ignored."""
    table = ALIGN_YOUR_STEPS_SDXL if is_sdxl else ALIGN_YOUR_STEPS
    if n == len(table):
        return _with_zero(table, device)
    # A1111: interpolated from the small end, so one step gives the smallest value.
    positions, logs = np.linspace(0, 1, len(table)), np.log(table[::-1])
    resampled = np.exp(np.interp(np.linspace(0, 1, n), positions, logs))[::-1]
    return _with_zero(resampled.copy(), device)


def simple(n: int, sigma_min: float, sigma_max: float, device: Any, inner_model: DiscreteSchedule) -> Tensor:
    """Every (table length / n)-th entry of the table, from the top; the range is ignored."""
    stride = len(inner_model.sigmas) / n
    return _with_zero([float(inner_model.sigmas[-(1 + int(i * stride))]) for i in range(n)], device)


def ddim(n: int, sigma_min: float, sigma_max: float, device: Any, inner_model: DiscreteSchedule) -> Tensor:
    """DDIM's spacing 1, 1+s, 1+2s, …; can be longer than n; the range is ignored."""
    stride = max(len(inner_model.sigmas) // n, 1)
    return _with_zero(inner_model.sigmas[1::stride].flip(0).float().cpu(), device)


def beta(
    n: int,
    sigma_min: float,
    sigma_max: float,
    device: Any,
    inner_model: DiscreteSchedule | None = None,
    alpha: float = 0.6,
    beta: float = 0.6,
) -> Tensor:
    """Quantiles of a beta distribution (Lee et al., "Beta Sampling is All You Need", 2024); the table is not read."""
    from scipy.special import betaincinv

    quantiles = betaincinv(alpha, beta, 1 - np.linspace(0, 1, n))
    return _with_zero(sigma_min + quantiles * (sigma_max - sigma_min), device)
