"""UniPC (Zhao et al., "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models", 2023), data prediction.

λ is half the log signal-to-noise ratio, h = λ_t − λ_0, q = −h; the newest data prediction is m0. Notation as in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from modules.diffusion.errors import TooFewSteps, UnknownChoice

VARIANTS = ("bh1", "bh2", "vary_coeff")
SKIP_TYPES = ("time_uniform", "time_quadratic", "logSNR")


class ContinuousSchedule:
    """α, σ and λ at any t in (0, 1], on the CPU: log α is linear between the n table entries at 1/n, 2/n, … 1."""

    def __init__(self, alphas_cumprod: Tensor) -> None:
        self.log_alphas = 0.5 * torch.log(alphas_cumprod.float())
        self.size = len(self.log_alphas)
        self.times = torch.linspace(0.0, 1.0, self.size + 1)[1:].to(self.log_alphas)

    def log_alpha(self, t: Tensor) -> Tensor:
        """log α(t)."""
        return _interpolate(t, self.times, self.log_alphas)

    def sigma(self, t: Tensor) -> Tensor:
        """σ(t) = sqrt(1 − α²)."""
        return torch.sqrt(1.0 - torch.exp(2.0 * self.log_alpha(t)))

    def lambda_(self, t: Tensor) -> Tensor:
        """λ(t) = log(α/σ)."""
        log_alpha = self.log_alpha(t)
        return log_alpha - 0.5 * torch.log(1.0 - torch.exp(2.0 * log_alpha))

    def time_of(self, lambda_: Tensor) -> Tensor:
        """The t of a λ."""
        log_alpha = -0.5 * torch.logaddexp(torch.zeros((1,)).to(lambda_), -2.0 * lambda_)
        return _interpolate(log_alpha, self.log_alphas.flip(0), self.times.flip(0))

    def model_time(self, t: Tensor) -> Tensor:
        """The (fractional) timestep a model trained on n discrete steps is asked for."""
        return (t - 1.0 / self.size) * self.size


def _interpolate(x: Tensor, xs: Tensor, ys: Tensor) -> Tensor:
    """Piecewise linear through (xs ascending, ys); the end pieces go on outside."""
    right = torch.searchsorted(xs, x).clamp(1, len(xs) - 1)
    x0, x1, y0, y1 = xs[right - 1], xs[right], ys[right - 1], ys[right]
    return y0 + (x - x0) * (y1 - y0) / (x1 - x0)


def time_steps(schedule: ContinuousSchedule, skip_type: str, start: float, end: float, steps: int) -> Tensor:
    """steps + 1 times from `start` down to `end`. Raises: UnknownChoice."""
    if skip_type == "time_uniform":
        return torch.linspace(start, end, steps + 1)
    if skip_type == "time_quadratic":
        return torch.linspace(start**0.5, end**0.5, steps + 1).pow(2)
    if skip_type == "logSNR":
        first, last = (schedule.lambda_(torch.tensor([t]).to(schedule.times)).item() for t in (start, end))
        return schedule.time_of(torch.linspace(first, last, steps + 1).to(schedule.times))
    raise UnknownChoice(f"UniPC knows no skip type {skip_type!r}; choose one of {', '.join(SKIP_TYPES)}")


@dataclass
class _Past:
    """Data predictions and their times, newest last."""

    outputs: list[Tensor]
    times: list[Tensor]

    def push(self, output: Tensor, time: Tensor, keep: int) -> None:
        self.outputs = [*self.outputs, output][-keep:]
        self.times = [*self.times, time][-keep:]


@dataclass(frozen=True)
class _Step:
    """What predictor and corrector of one step share: geometry, differences D_k, and the exponential base x̂."""

    alpha: Tensor
    q: Tensor
    ratios: Tensor
    differences: Tensor | None
    base: Tensor
    newest: Tensor

    @classmethod
    def between(cls, schedule: ContinuousSchedule, x: Tensor, past: _Past, t: Tensor, order: int) -> _Step:
        m0, t0 = past.outputs[-1], past.times[-1]
        lambda_0 = schedule.lambda_(t0)
        h = schedule.lambda_(t) - lambda_0
        ratios, differences = [], []
        for k in range(2, order + 1):
            ratio = (schedule.lambda_(past.times[-k]) - lambda_0) / h
            ratios.append(ratio.item())
            differences.append((past.outputs[-k] - m0) / ratio)
        alpha = torch.exp(schedule.log_alpha(t))
        base = schedule.sigma(t) / schedule.sigma(t0) * x - alpha * torch.expm1(-h) * m0
        stacked = torch.stack(differences) if differences else None
        return cls(alpha, -h, torch.tensor([*ratios, 1.0]), stacked, base, m0)


def _mix(weights: Tensor, differences: Tensor | None) -> Tensor | float:
    return 0.0 if differences is None else torch.einsum("k,kbchw->bchw", weights.to(differences), differences)


class _BSolver:
    """B(h) = h (bh1) or e^h − 1 (bh2), with the sign of data prediction."""

    def __init__(self, step: _Step, order: int, variant: str) -> None:
        self.step, self.order = step, order
        q = step.q
        self.scale = q if variant == "bh1" else torch.expm1(q)
        rows, targets = [], []
        g = torch.expm1(q) / q - 1
        for i in range(1, order + 1):
            rows.append(step.ratios ** (i - 1))
            targets.append((g * math.factorial(i) / self.scale).reshape(()))
            g = g / q - 1 / math.factorial(i + 1)
        self.matrix, self.target = torch.stack(rows), torch.stack(targets).to(step.ratios)

    def predict(self) -> Tensor:
        step = self.step
        if step.differences is None:
            return step.base
        half = torch.tensor([0.5])
        weights = half if self.order == 2 else torch.linalg.solve(self.matrix[:-1, :-1], self.target[:-1])
        return step.base - step.alpha * self.scale * _mix(weights, step.differences)

    def correct(self, output: Tensor) -> Tensor:
        step = self.step
        half = torch.tensor([0.5])
        weights = half if self.order == 1 else torch.linalg.solve(self.matrix, self.target)
        change = _mix(weights[:-1], step.differences) + weights[-1] * (output - step.newest)
        return step.base - step.alpha * self.scale * change


class _VaryingSolver:
    """Varying coefficients: the inverse of the Taylor matrix C[i, k] = r_i^(k-1)/k! weighted with φ functions."""

    def __init__(self, step: _Step, order: int) -> None:
        self.step, self.order = step, order
        self.matrix = torch.stack([step.ratios**k / math.factorial(k + 1) for k in range(order)], dim=1)
        self.phi = [torch.expm1(step.q)]
        for k in range(1, order + 2):
            self.phi.append(self.phi[-1] / step.q - 1 / math.factorial(k))

    def _with_history(self, weights: Tensor) -> Tensor:
        x, step = self.step.base, self.step
        for k in range(self.order - 1):
            x = x - step.alpha * self.phi[k + 1] * _mix(weights[k, : self.order - 1], step.differences)
        return x

    def predict(self) -> Tensor:
        if self.step.differences is None:
            return self.step.base
        return self._with_history(torch.linalg.inv(self.matrix[:-1, :-1]))

    def correct(self, output: Tensor) -> Tensor:
        weights = torch.linalg.inv(self.matrix)
        # A1111: the new difference is weighted by the row of the last history entry, not by the last row.
        row = weights[max(self.order - 2, 0)]
        return self._with_history(weights) - self.step.alpha * self.phi[self.order] * (output - self.step.newest) * row[-1]


def check_unipc(steps: int, order: int, variant: str) -> None:
    """Raises: TooFewSteps, UnknownChoice when UniPC cannot run so."""
    if variant not in VARIANTS:
        raise UnknownChoice(f"UniPC knows no variant {variant!r}; choose one of {', '.join(VARIANTS)}")
    if order < 1:
        raise UnknownChoice(f"UniPC order {order} is not possible; choose 1 or more")
    if steps < order:
        raise TooFewSteps(f"UniPC of order {order} needs at least {order} steps, this run has {steps}; take more steps or lower the order")


@torch.no_grad()
def sample_unipc(
    model: Callable[..., Tensor],
    x: Tensor,
    timesteps: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callable[[dict[str, Any]], None] | None = None,
    disable: bool | None = None,
    *,
    alphas_cumprod: Tensor,
    is_img2img: bool = False,
    variant: str = "bh1",
    skip_type: str = "time_uniform",
    order: int = 3,
    lower_order_final: bool = True,
) -> Tensor:
    """`model(x, t) -> eps` at fractional t. Only the length of `timesteps` and, in img2img, its last entry count.

    L evaluations, no draws. Raises: TooFewSteps when L < order; UnknownChoice.
    """
    steps = len(timesteps)
    check_unipc(steps, order, variant)
    schedule = ContinuousSchedule(alphas_cumprod.cpu())
    start = float(timesteps[-1]) / schedule.size + 1.0 / schedule.size if is_img2img else 1.0
    times = time_steps(schedule, skip_type, start, 1.0 / schedule.size, steps)
    ones, extra_args = x.new_ones([x.shape[0]]), extra_args or {}

    def predict_data(x: Tensor, t: Tensor) -> Tensor:
        eps = model(x, schedule.model_time(t) * ones, **extra_args)
        return (x - schedule.sigma(t) * eps) / torch.exp(schedule.log_alpha(t))

    past = _Past([], [])
    past.push(predict_data(x, times[0]), times[0], order)
    for i in range(1, steps + 1):
        now = min(order, i, steps + 1 - i) if lower_order_final else min(order, i)
        if callback is not None:
            callback({"x": x, "i": i - 1, "sigma": 0, "sigma_hat": 0, "denoised": past.outputs[-1]})
        step = _Step.between(schedule, x, past, times[i], now)
        solver = _VaryingSolver(step, now) if variant == "vary_coeff" else _BSolver(step, now, variant)
        x = solver.predict()
        if i < steps:
            output = predict_data(x, times[i])
            x = solver.correct(output)
            past.push(output, times[i], order)
    return x
