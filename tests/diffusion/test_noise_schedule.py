"""ᾱ, σ and the mapping between σ and timestep."""

from __future__ import annotations

import pytest
import torch
from diffusion.toys import facts, tensors
from hypothesis import given
from hypothesis import strategies as st

from modules.diffusion.denoiser import EpsDenoiser, FlowDenoiser, LCMDenoiser, TimestepDenoiser, VDenoiser, make_denoiser
from modules.diffusion.options import SamplingOptions
from modules.diffusion.schedule import DiscreteSchedule, FlowSchedule, LCMSchedule, alphas_cumprod, apply_overrides
from modules.diffusion.sigmas import karras

SCHEDULE = DiscreteSchedule(alphas_cumprod())


def test_table_of_stable_diffusion() -> None:
    recorded = tensors("nets", "misc", "ddpm_schedule.safetensors")
    torch.testing.assert_close(SCHEDULE.alphas_cumprod, recorded["alphas_cumprod_f32"], rtol=1e-7, atol=0)
    torch.testing.assert_close(SCHEDULE.sigmas, recorded["sigmas_f32"], rtol=1e-6, atol=0)
    model = facts("pure", "sigmas_sd1.json")["_model"]
    torch.testing.assert_close(SCHEDULE.sigmas[[0, -1]], torch.tensor([model["sigma_min"], model["sigma_max"]]), rtol=1e-6, atol=0)


def test_zero_terminal_snr() -> None:
    alphas, infotext = apply_overrides(alphas_cumprod(), SamplingOptions(sd_noise_schedule="Zero Terminal SNR"))
    assert infotext == {"Noise Schedule": "Zero Terminal SNR"}
    assert alphas[0].item() == pytest.approx(SCHEDULE.alphas_cumprod[0].item(), rel=1e-6)
    assert DiscreteSchedule(alphas).sigma_max == pytest.approx(4518.8, abs=0.2)


def test_downcast_table_is_half() -> None:
    alphas, infotext = apply_overrides(alphas_cumprod(), SamplingOptions(use_downcasted_alpha_bar=True))
    schedule = DiscreteSchedule(alphas)
    assert infotext == {"Downcast alphas_cumprod": True} and schedule.sigmas.dtype == torch.float16
    assert schedule.get_sigmas(5).dtype == torch.float32


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_wrappers(prediction: str) -> None:
    recorded = tensors("nets", "samplers", "k_diffusion.safetensors")
    schedule = DiscreteSchedule(recorded["wrap/alphas_cumprod"])
    denoise = make_denoiser("k", lambda x, t: torch.tanh(x) * (1 + t.view(-1, 1, 1, 1) / 1000), schedule, prediction)
    assert isinstance(denoise, VDenoiser if prediction == "v" else EpsDenoiser)
    part = {key.split("/")[-1]: value for key, value in recorded.items() if key.startswith("wrap/")}
    x, sigma = part["x"], part["sigma"]
    torch.testing.assert_close(denoise(x, sigma), recorded[f"wrap/{prediction}/denoised"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(schedule.get_sigmas(20), recorded[f"wrap/{prediction}/get_sigmas20"], rtol=1e-6, atol=0)
    torch.testing.assert_close(schedule.get_sigmas(), recorded[f"wrap/{prediction}/get_sigmas_all"], rtol=1e-6, atol=0)


@given(st.floats(0.0, 999.0))
def test_timestep_and_sigma_are_inverse(t: float) -> None:
    back = SCHEDULE.sigma_to_t(SCHEDULE.t_to_sigma(torch.tensor([t])))
    assert back.item() == pytest.approx(t, abs=0.05)


def test_quantized_timestep_is_the_nearest_entry() -> None:
    quantized = DiscreteSchedule(alphas_cumprod(), quantize=True)
    assert quantized.sigma_to_t(SCHEDULE.sigmas[[3, 700]] * 1.0001).tolist() == [3, 700]


def test_lcm_table_and_timesteps() -> None:
    recorded = tensors("nets", "samplers", "webui_samplers.safetensors")
    schedule = LCMSchedule(tensors("nets", "samplers", "webui_schedulers.safetensors")["alphas_cumprod"])
    torch.testing.assert_close(schedule.sigmas, recorded["lcm/denoiser_sigmas"], rtol=1e-6, atol=0)
    assert torch.equal(schedule.sigma_to_t(recorded["lcm/sigma"]), recorded["lcm/t_of_sigma"])
    for n in (1, 4, 8):
        torch.testing.assert_close(schedule.get_sigmas(n), recorded[f"lcm/get_sigmas{n}"], rtol=1e-6, atol=0)
    x, eps, sigma = (recorded[f"lcm/{name}"] for name in ("scaled_out.in_x", "scaled_out.in_eps", "sigma"))
    denoise = make_denoiser("k", lambda *_: eps, schedule)
    assert isinstance(denoise, LCMDenoiser)
    torch.testing.assert_close(denoise.scaled(sigma, eps, x), recorded["lcm/scaled_out"], rtol=1e-5, atol=1e-5)


def test_velocity_as_noise_at_a_fractional_timestep() -> None:
    x, v = torch.full((1, 4, 2, 2), 2.0), torch.full((1, 4, 2, 2), 3.0)
    denoise = make_denoiser("timestep", lambda *_: v, SCHEDULE, "v")
    assert isinstance(denoise, TimestepDenoiser)
    a = SCHEDULE.alphas_cumprod[500]
    torch.testing.assert_close(denoise(x, torch.tensor([500.9])), a.sqrt() * v + (1 - a).sqrt() * x)


@pytest.mark.parametrize("shift", [1, 3])
def test_flow_table(shift: int) -> None:
    recorded = tensors("nets", "sd3", "sd3_sampling.safetensors")
    schedule = FlowSchedule(float(shift))
    torch.testing.assert_close(schedule.sigmas, recorded[f"sigmas_shift{shift}"], rtol=1e-6, atol=0)
    assert isinstance(make_denoiser("k", lambda x, t: x, schedule), FlowDenoiser)


def test_sdxls_discretizations() -> None:
    recorded = tensors("nets", "misc", "sgm_discretization.safetensors")
    for name in ("legacy_ddpm_1000", "legacy_ddpm_1000_flip"):  # in float64, where the table is rounded to float32
        torch.testing.assert_close(SCHEDULE.sigmas, recorded[name].sort().values, rtol=2e-5, atol=0)
    torch.testing.assert_close(karras(20, 0.002, 80.0), recorded["edm_20_appendzero"], rtol=1e-5, atol=0)
