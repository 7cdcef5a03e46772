"""Every schedule, with every option, against recorded σ lists; step counts; timesteps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusion.toys import facts, tensors

from modules.diffusion.errors import InvalidSteps
from modules.diffusion.options import SamplingOptions
from modules.diffusion.plan import build_sigmas, img2img_steps, plan_img2img, plan_txt2img, schedule_for, timestep_list
from modules.diffusion.samplers.registry import find_sampler
from modules.diffusion.schedule import DiscreteSchedule, alphas_cumprod
from modules.diffusion.schedulers import SCHEDULERS

SCHEDULE = DiscreteSchedule(alphas_cumprod())
DEFAULTS = SamplingOptions()
EXPLICIT = [scheduler for scheduler in SCHEDULERS if scheduler.function]


def close(actual: torch.Tensor, expected: Any) -> None:
    expected = torch.tensor(expected) if isinstance(expected, list) else expected
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-7)


def sampler(label: str) -> Any:
    found = find_sampler(label)
    assert found is not None
    return found


@pytest.mark.parametrize("scheduler", EXPLICIT, ids=lambda scheduler: scheduler.name)
@pytest.mark.parametrize("n", [1, 2, 5, 10, 11, 20, 37])
def test_formulas(scheduler: Any, n: int) -> None:
    recorded = tensors("nets", "samplers", "webui_schedulers.safetensors")
    schedule = DiscreteSchedule(recorded["alphas_cumprod"])
    close(build_sigmas(sampler("Euler"), scheduler.label, n, schedule, DEFAULTS), recorded[f"schedule/{scheduler.name}/{n}"])
    if scheduler.name == "align_your_steps":
        sdxl = build_sigmas(sampler("Euler"), scheduler.label, n, schedule, DEFAULTS, is_sdxl=True)
        close(sdxl, recorded[f"schedule/{scheduler.name}_sdxl/{n}"])


@pytest.mark.parametrize("model", ["sd1", "tiny-sd2-eps", "tiny-sd2-v", "tiny-sdxl"])
def test_sampler_and_schedule_together(model: str) -> None:
    for name, lists in facts("pure", f"sigmas_{model}.json").items():
        if name.startswith("_"):
            continue
        label, _, scheduler = name.partition("|")
        chosen = sampler(label)
        for n, expected in lists.items():
            plan = None
            if chosen.family == "timestep":
                actual = timestep_list(int(n), DEFAULTS, {}).float()
            else:
                plan = build_sigmas(chosen, scheduler, int(n), schedule_for(chosen, SCHEDULE), DEFAULTS, is_sdxl=model == "tiny-sdxl")
                actual = plan
            close(actual, [float(value) for value in expected])


@pytest.mark.parametrize("case", ["sigma_min_max_rho", "old_karras", "discard", "beta"])
def test_options(case: str) -> None:
    recorded = facts("pure", "sigmas_sd1_options.json")[case]
    options = SamplingOptions.from_settings(recorded["options"])
    for label, lists in recorded["sigmas"].items():
        for n in ("5", "10"):
            infotext: dict[str, Any] = {}
            close(build_sigmas(sampler("Euler"), label, int(n), SCHEDULE, options, infotext), lists[n])
            assert list(infotext.items()) == list(lists["extra"].items()), label


def test_img2img_step_counts() -> None:
    for name, expected in facts("pure", "setup_img2img_steps.json").items():
        given = dict(part.split("=") for part in name.split())
        explicit = given["explicit"] != "None"
        steps = int(given["explicit"] if explicit else given["steps"])
        assert list(img2img_steps(steps, float(given["denoise"]), explicit or given["fix"] == "True")) == expected, name


@pytest.mark.parametrize(("n", "length"), [(20, 20), (15, 16), (30, 31), (28, 29), (150, 167), (1, 1)])
def test_timestep_list_length(n: int, length: int) -> None:
    timesteps = timestep_list(n, DEFAULTS, {})
    assert len(timesteps) == length and timesteps[0] == 1 and timesteps.max() <= 999


@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps_are_refused(steps: int) -> None:
    with pytest.raises(InvalidSteps, match="at least 1"):
        plan_txt2img(sampler("Euler"), None, steps, SCHEDULE, DEFAULTS)


def test_more_timesteps_than_the_model_has_are_refused() -> None:
    with pytest.raises(InvalidSteps, match="1000 timesteps"):
        plan_img2img(sampler("DDIM"), None, 20, SCHEDULE, DEFAULTS, denoising_strength=0.01, fix_steps=True)
