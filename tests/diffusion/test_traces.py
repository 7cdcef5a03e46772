"""Whole recorded walks: fed with the recorded network outputs, every x, every σ and the final latent must come out again.

Recorded: seed 1234, CPU noise, latent 8 × 16, CFG scale 7, default settings; txt2img 8 steps, img2img 10 steps at strength 0.6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from golden_data import golden
from torch import Tensor

from modules.diffusion.guidance import CFGPP_SCALE, combine
from modules.diffusion.options import SamplingOptions
from modules.diffusion.plan import SamplingPlan, plan_img2img, plan_txt2img
from modules.diffusion.rng import ImageRNG
from modules.diffusion.samplers.registry import SAMPLERS, SamplerInfo
from modules.diffusion.sampling import initial_latent, run
from modules.diffusion.schedule import DiscreteSchedule, alphas_cumprod

SCHEDULE = DiscreteSchedule(alphas_cumprod())
SCALE = 7.0


def trace_name(sampler: SamplerInfo) -> str:
    return sampler.label.lower().replace("ddim cfg++", "ddim_cfgpp").replace("dpm++", "dpmpp").replace(" ", "_")


class EndOfRecording(Exception):
    """The recording stops after 60 evaluations."""


class Replay:
    """A model that gives the recorded outputs and checks what it is asked."""

    def __init__(self, trace: Any, scale: float) -> None:
        self.trace, self.scale, self.calls = trace, scale, 0
        self.last_uncond = torch.zeros(0)

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self.trace[name])

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        name = f"{self.calls:03d}"
        torch.testing.assert_close(sigma, self.tensor(f"in{name}.sigma")[:1], rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(x, self.tensor(f"in{name}.x")[:1], rtol=2e-5, atol=1e-4)
        if f"out{name}" not in self.trace:
            raise EndOfRecording
        self.calls += 1
        rows = self.tensor(f"out{name}")
        self.last_uncond = rows[-1:].clone()
        return combine(rows, [[(0, 1.0)]], self.scale)


def replay(plan: SamplingPlan, trace: Any, x: Tensor, rng: ImageRNG) -> None:
    model = Replay(trace, SCALE * CFGPP_SCALE if plan.sampler.label == "DDIM CFG++" else SCALE)
    states: list[dict[str, Any]] = []
    try:
        latent = run(plan, model, x, rng, states.append)
    except EndOfRecording:
        assert model.calls == 60
        return
    assert f"out{model.calls:03d}" not in trace, "fewer evaluations than recorded"
    torch.testing.assert_close(latent, model.tensor("final_latent"), rtol=1e-5, atol=2e-4)
    assert [state["i"] for state in states] == list(range(len(states))) and states


@pytest.mark.parametrize("sampler", SAMPLERS, ids=trace_name)
def test_txt2img(sampler: SamplerInfo) -> None:
    trace = np.load(golden("traces", f"t2i_{trace_name(sampler)}.npz"))
    rng = ImageRNG((4, 8, 16), [1234], source="CPU")
    plan = plan_txt2img(sampler, "Automatic", 8, SCHEDULE, SamplingOptions())
    replay(plan, trace, initial_latent(plan, rng.first()), rng)
    assert plan.planned_evals == (16 if sampler.second_order else 8)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=trace_name)
def test_img2img(sampler: SamplerInfo) -> None:
    trace = np.load(golden("traces", f"i2i_{trace_name(sampler)}.npz"))
    rng = ImageRNG((4, 8, 16), [1234], source="CPU")
    noise = rng.first()
    plan = plan_img2img(sampler, "Automatic", 10, SCHEDULE, SamplingOptions(), denoising_strength=0.6)
    start = torch.from_numpy(trace["in000.x"][:1])
    replay(plan, trace, start, rng)
    assert plan.planned_evals == (14 if sampler.second_order else 7)
    torch.testing.assert_close(initial_latent(plan, noise, encoded_picture(noise)), start, rtol=1e-5, atol=2e-6)


def encoded_picture(noise: Tensor) -> Tensor:
    """The clean latent of the recordings, found from the Euler one."""
    trace = np.load(golden("traces", "i2i_euler.npz"))
    return torch.from_numpy(trace["in000.x"][:1]) - noise * torch.from_numpy(trace["in000.sigma"][:1])


class Elsewhere:
    """Noise on a device that is not the CPU."""

    seeds, source = [5], "CPU"

    def next(self) -> Tensor:
        return torch.empty((1, 4, 8, 16), device="meta")


@pytest.mark.parametrize("sampler", [s for s in SAMPLERS if s.label not in ("DPM fast", "DPM adaptive")], ids=trace_name)
def test_latent_may_live_on_another_device(sampler: SamplerInfo) -> None:
    """The meta device refuses to mix with CPU tensors as a GPU does. (The two DPM solvers decide by values on that device.)"""
    plan = plan_txt2img(sampler, "Automatic", 4 if sampler.brownian else 24, SCHEDULE, SamplingOptions())

    class Model:
        last_uncond = torch.empty((1, 4, 8, 16), device="meta")

        def __call__(self, x: Tensor, level: Tensor) -> Tensor:
            assert x.device == level.device == torch.device("meta")
            return torch.empty_like(x)

    latent = run(plan, Model(), initial_latent(plan, Elsewhere().next()), Elsewhere())
    assert latent.device.type == "meta" and latent.shape == (1, 4, 8, 16)
