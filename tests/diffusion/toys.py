"""The toy networks the sampler goldens were recorded with, and a noise stream that replays recorded draws."""

from __future__ import annotations

import functools
import json
from typing import Any

import torch
from golden_data import golden
from safetensors.torch import load_file
from torch import Tensor

START = 14.614642


@functools.cache
def tensors(*parts: str) -> dict[str, Tensor]:
    """A golden safetensors file."""
    return load_file(golden(*parts))


@functools.cache
def facts(*parts: str) -> Any:
    """A golden JSON file."""
    return json.loads(golden(*parts).read_text("utf-8"))


class Draws:
    """Noise from a recorded list, counting."""

    def __init__(self, noise: Tensor, seeds: list[int] | None = None) -> None:
        self.noise, self.used = noise, 0
        self.seeds, self.source = seeds or [0], "CPU"

    def next(self, *_: Any) -> Tensor:
        self.used += 1
        return self.noise[self.used - 1]


class SigmaToy:
    """D(x, σ) = μ + c(x − μ) + σ/4·r·tanh((x − μ)r), c = 1/(1 + σ²), r = √c."""

    def __init__(self, mu: Tensor) -> None:
        self.mu, self.calls = mu, 0

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.calls += 1
        sigma = sigma.view(-1, 1, 1, 1)
        c = 1 / (1 + sigma**2)
        r = c.sqrt()
        return self.mu + c * (x - self.mu) + 0.25 * sigma * r * torch.tanh((x - self.mu) * r)


class EpsToy:
    """eps(x, t) = tanh(0.8(x − 0.3μ))·(0.9 + t/5000); keeps 0.9·eps as the unconditional one, and every t."""

    def __init__(self, mu: Tensor) -> None:
        self.mu, self.asked = mu, []
        self.last_uncond = torch.zeros(0)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        self.asked.append(float(t[0]))
        eps = torch.tanh(0.8 * (x - 0.3 * self.mu)) * (0.9 + t.view(-1, 1, 1, 1) / 5000)
        self.last_uncond = 0.9 * eps
        return eps
