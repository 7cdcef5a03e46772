"""Every sampler on toy networks against the recorded results, calls and draws."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from diffusion.toys import START, Draws, EpsToy, SigmaToy, facts, tensors
from torch import Tensor

from modules.diffusion.brownian import BrownianNoiseSampler
from modules.diffusion.kdiffusion import noise_stream, sampling
from modules.diffusion.samplers.ddim import sample_ddim, sample_ddim_cfgpp
from modules.diffusion.samplers.lcm import sample_lcm
from modules.diffusion.samplers.plms import sample_plms
from modules.diffusion.samplers.restart import restart_steps, sample_restart
from modules.diffusion.samplers.unipc import sample_unipc
from modules.diffusion.schedule import alphas_cumprod

K_FILE = ("nets", "samplers", "k_diffusion.safetensors")
OWN_FILE = ("nets", "samplers", "webui_samplers.safetensors")


def runs(name: str) -> dict[str, Any]:
    try:
        return facts("nets", "samplers", name)["runs"]
    except pytest.skip.Exception:
        return {}


def assert_same(actual: Tensor, expected: Tensor, atol: float = 1e-4) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=atol)


def schedule_of(variant: str) -> Tensor:
    parts = variant.split("_")
    sigmas = tensors(*K_FILE)[f"sigmas/{parts[0]}"]
    return sigmas[4:] if "tail" in parts else sigmas[:-1] if "nozero" in parts else sigmas


@pytest.mark.parametrize("run", runs("k_diffusion.json"))
def test_k_diffusion(run: str) -> None:
    """k-diffusion's functions, drawing from our stream."""
    recorded, told = tensors(*K_FILE), runs("k_diffusion.json")[run]
    function, variant = run.split("/")
    model, draws, kwargs = SigmaToy(recorded["mu"]), Draws(recorded["noise"]), dict(told["kwargs"])
    if "sigma_min" not in kwargs:
        kwargs["sigmas"] = schedule_of(variant)
    if "browniantree" in variant:
        sigmas = kwargs["sigmas"]
        ends = sigmas[sigmas > 0].min(), sigmas.max()
        kwargs["noise_sampler"] = BrownianNoiseSampler((1, 4, 8, 8), *ends, [42], source="CPU")
    elif "_sde" in function:
        kwargs["noise_sampler"] = draws.next
    steps: list[Tensor] = []
    with noise_stream(draws.next):
        result = getattr(sampling(), function)(
            model, recorded["x_unit"] * START, disable=True, callback=lambda state: steps.append(state["x"]), **kwargs
        )
    latent = result[0] if kwargs.get("return_info") else result
    # DPM++ SDE asks its tree at exp(log σ), which torch's versions round differently in the sixth decimal.
    assert_same(latent, recorded[f"{run}/out"], 1e-3 if "sample_dpmpp_sde" in run and "browniantree" in run else 1e-4)
    assert (model.calls, draws.used, len(steps)) == (told["model_calls"], told["noise_used"], told["callbacks"])
    if "info" in told:
        assert result[1] == told["info"]


def unipc_kwargs(name: str) -> dict[str, Any]:
    kwargs: dict[str, Any] = {}
    for variant in ("bh2", "vary_coeff"):
        if variant in name:
            kwargs["variant"] = variant
    for skip in ("time_quadratic", "logSNR"):
        if skip in name:
            kwargs["skip_type"] = skip
    if "order" in name:
        kwargs["order"] = int(name.split("order")[1])
    if "no_lower_final" in name:
        kwargs["lower_order_final"] = False
    kwargs["is_img2img"] = "img2img" in name
    return kwargs


@pytest.mark.parametrize("run", [run for run in runs("webui_samplers.json") if run.startswith(("ddim", "plms", "unipc"))])
def test_timestep_family(run: str) -> None:
    recorded, told = tensors(*OWN_FILE), runs("webui_samplers.json")[run]
    name = run.split("/")[0]
    model, draws = EpsToy(recorded["mu"]), Draws(recorded["noise"])
    kwargs: dict[str, Any] = {"alphas_cumprod": tensors("nets", "samplers", "webui_schedulers.safetensors")["alphas_cumprod"]}
    denoised: list[Tensor] = []
    function: Any = {"ddim": sample_ddim, "plms": sample_plms, "unipc": sample_unipc}[name.split("_")[0]]
    if name.startswith("ddim"):
        kwargs |= {"noise_sampler": draws.next, "eta": float(name.split("eta")[1]) if "eta" in name else 0.0}
        function = sample_ddim_cfgpp if name == "ddim_cfgpp" else function
    elif name.startswith("unipc"):
        kwargs |= unipc_kwargs(name)
    out = function(
        model, recorded["x"], recorded[f"{run}/timesteps"], callback=lambda state: denoised.append(state["denoised"]), **kwargs
    )
    assert model.asked == pytest.approx(recorded[f"{run}/model_t"].tolist(), rel=1e-5, abs=2e-4)
    assert_same(out, recorded[f"{run}/out"])
    assert (len(model.asked), draws.used) == (told["model_calls"], told["noise_used"]) and out.dtype == torch.float32
    if f"{run}/denoised_at_step" in recorded:
        assert_same(torch.stack(denoised), recorded[f"{run}/denoised_at_step"])


@pytest.mark.parametrize("run", [run for run in runs("webui_samplers.json") if run.startswith(("restart", "lcm"))])
def test_restart_and_lcm(run: str) -> None:
    recorded, told = tensors(*OWN_FILE), runs("webui_samplers.json")[run]
    model, draws = SigmaToy(recorded["mu"]), Draws(recorded["noise"])
    function = sample_restart if run.startswith("restart") else sample_lcm
    out = function(model, recorded["x"] * START, recorded[f"{run}/sigmas"], noise_sampler=draws.next)
    assert_same(out, recorded[f"{run}/out"])
    assert (model.calls, draws.used) == (told["model_calls"], told["noise_used"])


@pytest.mark.parametrize("steps", [1, 5, 19, 20, 35, 36, 50])
def test_restart_keeps_the_number_of_steps(steps: int) -> None:
    from modules.diffusion.sigmas import karras

    walk = restart_steps(karras(steps, 0.03, 14.6))
    assert len(walk) == steps and walk[-1][1] == 0


def test_ddim_with_perfect_noise_prediction_finds_the_picture() -> None:
    """With eps of a known x0, DDIM's x is exactly √ᾱ x0 + √(1−ᾱ) noise at the first timestep."""
    alphas = alphas_cumprod()
    x0, noise = torch.full((1, 4, 2, 2), 0.7), torch.randn((1, 4, 2, 2), generator=torch.Generator().manual_seed(0))
    timesteps = torch.arange(1, 1000, 50)
    a = alphas[timesteps[-1]]

    def model(x: Tensor, t: Tensor) -> Tensor:
        a_t = alphas[int(t)]
        return (x - a_t.sqrt() * x0) / (1 - a_t).sqrt()

    out = sample_ddim(model, a.sqrt() * x0 + (1 - a).sqrt() * noise, timesteps, alphas_cumprod=alphas)
    last = alphas[1]
    torch.testing.assert_close(out, last.sqrt() * x0 + math.sqrt(1 - last) * noise, rtol=1e-3, atol=1e-3)


def test_noise_streams_of_two_jobs_do_not_meet() -> None:
    from contextvars import copy_context

    like = torch.zeros(1)
    with noise_stream(lambda x: x + 1):
        other = copy_context()
        with noise_stream(lambda x: x + 2):
            assert sampling().torch.randn_like(like) == 2
            assert other.run(lambda: sampling().torch.randn_like(like)) == 1
    torch.manual_seed(4)
    free = sampling().torch.randn_like(like)
    torch.manual_seed(4)
    assert torch.equal(free, torch.randn_like(like))
