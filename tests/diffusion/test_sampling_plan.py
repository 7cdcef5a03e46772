"""Plans: parameters, infotext keys, first latents, step counts and refusals."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from diffusion.toys import Draws, SigmaToy
from torch import Tensor

from modules.diffusion.errors import SamplingError, SizeMismatch, TooFewSteps, UnknownChoice
from modules.diffusion.options import RequestFields, SamplingOptions
from modules.diffusion.plan import SamplingPlan, plan_img2img, plan_txt2img
from modules.diffusion.rng import ImageRNG
from modules.diffusion.samplers.registry import SAMPLERS, resolve
from modules.diffusion.sampling import initial_latent, run
from modules.diffusion.schedule import DiscreteSchedule, FlowSchedule, LCMSchedule, alphas_cumprod

SCHEDULE = DiscreteSchedule(alphas_cumprod())
DEFAULTS = SamplingOptions()
NOISE = torch.randn((1, 4, 2, 2), generator=torch.Generator().manual_seed(0))


def txt2img(name: str, steps: int = 20, options: SamplingOptions = DEFAULTS, **kwargs: Any) -> SamplingPlan:
    sampler, scheduler = resolve(name)
    return plan_txt2img(sampler, scheduler.label, steps, SCHEDULE, options, **kwargs)


def img2img(name: str, steps: int = 20, strength: float = 0.75, options: SamplingOptions = DEFAULTS, **kwargs: Any) -> SamplingPlan:
    sampler, scheduler = resolve(name)
    return plan_img2img(sampler, scheduler.label, steps, SCHEDULE, options, denoising_strength=strength, **kwargs)


def test_settings_become_options() -> None:
    options = SamplingOptions.from_settings({"rho": 5, "eta_ddim": None, "unknown": 1})
    assert options.rho == 5 and options.eta_ddim == 0.0


def test_infotext_of_a_default_run() -> None:
    assert txt2img("DPM++ 2M").infotext == {"Schedule type": "Karras"}
    assert txt2img("Euler").infotext == {} and txt2img("DDIM").infotext == {}


def test_infotext_keys_in_the_order_they_are_set() -> None:
    options = SamplingOptions(
        always_discard_next_to_last_sigma=True, sigma_min=0.1, rho=5, sgm_noise_multiplier=True, eta_ancestral=0.5, s_noise=1.02
    )
    assert list(txt2img("DPM++ 2S a", options=options).infotext.items()) == [
        ("Discard penultimate sigma", True),
        ("Schedule type", "Karras"),
        ("Schedule min sigma", 0.1),
        ("Schedule rho", 5),
        ("SGM noise multiplier", True),
        ("Eta", 0.5),
        ("Sigma noise", 1.02),
    ]
    extra = SamplingOptions(img2img_extra_noise=0.05, eta_ddim=0.7)
    assert list(img2img("DDIM", options=extra).infotext.items()) == [("Extra noise", 0.05), ("Eta DDIM", 0.7)]


def test_own_discard_is_not_written() -> None:
    plan = txt2img("DPM2", options=SamplingOptions(always_discard_next_to_last_sigma=True))
    assert plan.infotext == {"Schedule type": "Karras"} and plan.sigmas is not None and len(plan.sigmas) == 21


def test_second_pass_writes_another_schedule_only() -> None:
    assert img2img("Euler Karras", is_hires=True, first_schedule_type="Karras").infotext == {}
    assert img2img("Euler Karras", is_hires=True, first_schedule_type="Automatic").infotext == {"Hires schedule type": "Karras"}


def test_churn_from_the_request_is_used_and_from_the_settings_is_written() -> None:
    fields = RequestFields(s_churn=3.0, s_tmin=0.2, s_noise=1.01)
    plan = txt2img("Euler", fields=fields)
    assert plan.kwargs == {"s_churn": 3.0, "s_tmin": 0.2, "s_tmax": math.inf, "s_noise": 1.01} and plan.infotext == {}
    plan = txt2img("Euler", options=SamplingOptions(s_churn=5.0, s_tmax=9.0), fields=fields)
    assert plan.kwargs == {"s_churn": 5.0, "s_tmin": 0.2, "s_tmax": 9.0, "s_noise": 1.01}
    assert plan.infotext == {"Sigma churn": 5.0, "Sigma tmax": 9.0}


def test_eta_of_the_request_wins() -> None:
    plan = txt2img("Euler a", options=SamplingOptions(eta_ancestral=0.3), fields=RequestFields(eta=0.0))
    assert plan.kwargs["eta"] == 0.0 and plan.eta == 0.0 and plan.infotext == {"Eta": 0.0}
    assert "eta" not in txt2img("LMS", options=SamplingOptions(eta_ancestral=0.3)).infotext


def test_dpm_fast_and_adaptive_take_a_range() -> None:
    plan = txt2img("DPM fast Karras", 12)
    assert plan.kwargs["n"] == 12 and plan.kwargs["sigma_max"] == SCHEDULE.sigma_max and plan.kwargs["sigma_min"] == SCHEDULE.sigma_min
    plan = img2img("DPM adaptive")
    assert plan.sigmas is not None and plan.kwargs["sigma_max"] == plan.sigmas[0].item() and "n" not in plan.kwargs
    assert plan.kwargs["sigma_min"] == plan.sigmas[-2].item()


def test_lcm_gets_its_own_table() -> None:
    assert isinstance(txt2img("LCM", 4).schedule, LCMSchedule) and txt2img("Euler").schedule is SCHEDULE


@pytest.mark.parametrize(("strength", "evals"), [(0.75, 16), (1.0, 20), (0.0, 1), (0.05, 2)])
def test_img2img_evaluations(strength: float, evals: int) -> None:
    plan = img2img("Euler", strength=strength)
    assert plan.sigmas is not None and len(plan.sigmas) == evals + 1 and plan.planned_evals == evals
    assert img2img("Heun", strength=strength).planned_evals == 2 * evals


def test_fixed_steps() -> None:
    for plan in (img2img("Euler", fix_steps=True), img2img("Euler", is_hires=True)):
        assert plan.full_sigmas is not None and len(plan.full_sigmas) == 27 and plan.planned_evals == 20
    assert img2img("Euler", options=SamplingOptions(img2img_fix_steps=True)).start_index == 6


@pytest.mark.parametrize("name", [sampler.label for sampler in SAMPLERS])
def test_hires_without_denoising_leaves_the_picture(name: str) -> None:
    plan = img2img(name, strength=0.0, is_hires=True)
    init = torch.ones_like(NOISE)
    assert plan.is_empty and torch.equal(initial_latent(plan, NOISE, init), init)
    assert run(plan, lambda *_: pytest.fail("no evaluation was planned"), init, Draws(NOISE)) is init


def test_first_latents() -> None:
    plan = txt2img("Euler")
    assert plan.sigmas is not None
    assert torch.equal(initial_latent(plan, NOISE), NOISE * plan.sigmas[0])
    sgm = txt2img("Euler", options=SamplingOptions(sgm_noise_multiplier=True))
    torch.testing.assert_close(initial_latent(sgm, NOISE), NOISE * math.sqrt(1 + SCHEDULE.sigma_max**2))
    assert initial_latent(txt2img("DDIM"), NOISE) is NOISE


def test_noised_latents_with_extra_noise() -> None:
    init = torch.full_like(NOISE, 3.0)
    options = SamplingOptions(img2img_extra_noise=0.25)
    plan = img2img("Euler", options=options)
    assert plan.sigmas is not None
    torch.testing.assert_close(initial_latent(plan, NOISE, init), init + NOISE * (plan.sigmas[0] + 0.25))
    doubled = initial_latent(plan, NOISE, init, lambda noise, x: noise * 2)
    torch.testing.assert_close(doubled, init + NOISE * (plan.sigmas[0] + 0.5))
    plan = img2img("DDIM", options=options)
    a = SCHEDULE.alphas_cumprod[plan.noise_timestep]
    assert plan.noise_timestep == 751 and plan.timesteps is not None and plan.timesteps[-1] == 701
    torch.testing.assert_close(initial_latent(plan, NOISE, init), a.sqrt() * init + ((1 - a).sqrt() + 0.25 * a.sqrt()) * NOISE)


def test_noised_flow_latent() -> None:
    sampler, _ = resolve("Euler")
    plan = plan_img2img(sampler, None, 20, FlowSchedule(), DEFAULTS, denoising_strength=0.5)
    assert plan.sigmas is not None
    sigma = plan.sigmas[0]
    torch.testing.assert_close(initial_latent(plan, NOISE, torch.ones_like(NOISE)), 1 - sigma + NOISE * sigma)


def test_img2img_needs_a_picture() -> None:
    with pytest.raises(SizeMismatch, match="init"):
        initial_latent(img2img("Euler"), NOISE)


@pytest.mark.parametrize("name", ["DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 3M SDE"])
def test_multistep_sde_needs_two_steps(name: str) -> None:
    with pytest.raises(TooFewSteps, match="2 steps"):
        txt2img(name, 1)
    with pytest.raises(TooFewSteps):
        img2img(name, 10, 0.05)


@pytest.mark.parametrize("steps", [1, 2])
def test_unipc_needs_as_many_steps_as_its_order(steps: int) -> None:
    with pytest.raises(TooFewSteps, match="lower the order"):
        txt2img("UniPC", steps)
    assert txt2img("UniPC", steps, SamplingOptions(uni_pc_order=1)).timesteps is not None


@pytest.mark.parametrize("options", [{"uni_pc_variant": "bh3"}, {"uni_pc_order": 0}])
def test_unipc_with_impossible_settings(options: dict[str, Any]) -> None:
    with pytest.raises(UnknownChoice):
        txt2img("UniPC", options=SamplingOptions(**options))


def test_dpm_fast_with_a_single_level() -> None:
    with pytest.raises(TooFewSteps, match="noise levels"):
        img2img("DPM fast", strength=0.0)


@pytest.mark.parametrize("name", [s.label for s in SAMPLERS if s.label != "UniPC" and (s.second_order or not s.brownian)])
def test_a_single_step_works_everywhere_else(name: str) -> None:
    rng = ImageRNG((4, 2, 2), [1], source="CPU")
    plan = txt2img(name, 1)
    latent = run(plan, SigmaToy(torch.zeros(1)), initial_latent(plan, rng.first()), rng)
    assert latent.shape == (1, 4, 2, 2) and latent.isfinite().all()


def test_errors_are_one_family() -> None:
    with pytest.raises(SamplingError):
        txt2img("Euler", 0)


@pytest.mark.parametrize("name", ["DPM++ SDE", "Euler a", "DPM fast", "Restart", "LCM"])
def test_images_of_a_batch_equal_images_alone(name: str) -> None:
    def latents(seeds: list[int]) -> Tensor:
        rng = ImageRNG((4, 2, 2), seeds, source="CPU")
        plan = txt2img(name, 21)
        return run(plan, SigmaToy(torch.zeros(1)), initial_latent(plan, rng.first()), rng)

    together = latents([3, 4])
    torch.testing.assert_close(together, torch.cat([latents([3]), latents([4])]), rtol=1e-5, atol=1e-5)


def test_batch_wide_brownian_tree() -> None:
    def latents(seed: int) -> Tensor:
        rng = ImageRNG((4, 2, 2), [seed, seed + 1], source="CPU")
        plan = txt2img("DPM++ 2M SDE", 4, SamplingOptions(no_dpmpp_sde_batch_determinism=True))
        return run(plan, SigmaToy(torch.zeros(1)), initial_latent(plan, rng.first()), rng)

    assert torch.equal(latents(7), latents(7))


def test_what_the_model_raises_passes_through() -> None:
    class Interrupted(Exception):
        pass

    def model(x: Tensor, sigma: Tensor) -> Tensor:
        raise Interrupted

    with pytest.raises(Interrupted):
        run(txt2img("Heun"), model, NOISE, ImageRNG((4, 2, 2), [1], source="CPU"))
