"""What one sampling pass will do, decided before any network runs: σ list or timesteps, parameters, number of evaluations, infotext.

A plan is made by `plan_txt2img` or `plan_img2img` (also for the second pass of hires fix) and carried out by
`sampling.initial_latent` and `sampling.run`.
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from modules.diffusion.errors import InvalidSteps, TooFewSteps
from modules.diffusion.options import RequestFields, SamplingOptions
from modules.diffusion.samplers.registry import SamplerInfo
from modules.diffusion.samplers.unipc import check_unipc
from modules.diffusion.schedule import TIMESTEPS, DiscreteSchedule, LCMSchedule
from modules.diffusion.schedulers import Scheduler, find_scheduler

OLD_KARRAS_RANGE = (0.1, 10.0)
MAX_STRENGTH = 0.999


@dataclass
class SamplingPlan:
    """One pass. Exactly one of `sigmas` and `timesteps` is what the sampler walks; `full_sigmas` is the list it was cut from.

    schedule: the table the denoiser must use (LCM has its own). planned_evals: T of generation; steps: the steps a progress bar counts.
    start_index: where the walk begins in the full list. noise_timestep: img2img of the timestep family noises to this t.
    kwargs: the sampling function's parameters. infotext: the keys this plan causes, in the order they are first set.
    """

    kind: Literal["txt2img", "img2img"]
    sampler: SamplerInfo
    schedule: DiscreteSchedule
    options: SamplingOptions
    steps: int
    planned_evals: int
    start_index: int = 0
    sigmas: Tensor | None = None
    full_sigmas: Tensor | None = None
    timesteps: Tensor | None = None
    noise_timestep: int | None = None
    eta: float = 0.0
    kwargs: dict[str, Any] = field(default_factory=dict)
    infotext: dict[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Nothing is walked and the latent stays as it is (hires fix with denoising strength 0)."""
        walked = self.sigmas if self.timesteps is None else self.timesteps
        return walked is None or len(walked) == 0 or (self.sigmas is not None and len(self.sigmas) < 2)


def img2img_steps(steps: int, denoising_strength: float, fix_steps: bool) -> tuple[int, int]:
    """(S, t_enc): the length of the full schedule and the index from its end where the walk begins.

    fix_steps: exactly `steps` steps are made, as in hires fix and with the setting `img2img_fix_steps`.
    """
    if fix_steps:
        full = int(steps / min(denoising_strength, MAX_STRENGTH)) if denoising_strength > 0 else 0
        return full, steps - 1
    return steps, int(min(denoising_strength, MAX_STRENGTH) * steps)


def plan_txt2img(
    sampler: SamplerInfo,
    scheduler_name: str | None,
    steps: int,
    schedule: DiscreteSchedule,
    options: SamplingOptions,
    *,
    is_sdxl: bool = False,
    fields: RequestFields | None = None,
) -> SamplingPlan:
    """The plan of a picture from noise.

    scheduler_name: name or label; None or Automatic is the sampler's own default. Raises: InvalidSteps, TooFewSteps, UnknownChoice.
    """
    check_steps(steps)
    fields = fields or RequestFields()
    if sampler.family == "timestep":
        plan = SamplingPlan("txt2img", sampler, schedule, options, steps, sampler.total_steps(steps))
        plan.timesteps = timestep_list(steps, options, plan.infotext)
    else:
        schedule = schedule_for(sampler, schedule)
        plan = SamplingPlan("txt2img", sampler, schedule, options, steps, sampler.total_steps(steps))
        plan.sigmas = plan.full_sigmas = build_sigmas(sampler, scheduler_name, steps, schedule, options, plan.infotext, is_sdxl=is_sdxl)
        if options.sgm_noise_multiplier:
            plan.infotext["SGM noise multiplier"] = True
    _set_parameters(plan, fields)
    return plan


def plan_img2img(
    sampler: SamplerInfo,
    scheduler_name: str | None,
    steps: int,
    schedule: DiscreteSchedule,
    options: SamplingOptions,
    *,
    denoising_strength: float,
    fix_steps: bool | None = None,
    is_sdxl: bool = False,
    fields: RequestFields | None = None,
    is_hires: bool = False,
    first_schedule_type: str | None = None,
) -> SamplingPlan:
    """The plan of a picture from a noised latent.

    denoising_strength in [0, 1]. fix_steps: None means the setting `img2img_fix_steps`, or True with is_hires. is_hires:
    the second pass of hires fix, whose schedule is written as `Hires schedule type` when it is not `first_schedule_type`.
    Raises: InvalidSteps, TooFewSteps, UnknownChoice.
    """
    check_steps(steps)
    fields = fields or RequestFields()
    fix_steps = (is_hires or options.img2img_fix_steps) if fix_steps is None else fix_steps
    full, t_enc = img2img_steps(steps, denoising_strength, fix_steps)
    evals = sampler.total_steps(t_enc + 1)
    if sampler.family == "timestep":
        plan = SamplingPlan("img2img", sampler, schedule, options, t_enc + 1, evals)
        if full > 0:
            everything = timestep_list(full, options, plan.infotext)
            plan.timesteps, plan.noise_timestep, plan.start_index = everything[:t_enc], int(everything[t_enc]), t_enc
    else:
        schedule = schedule_for(sampler, schedule)
        plan = SamplingPlan("img2img", sampler, schedule, options, t_enc + 1, evals)
        if full > 0:
            hires = (first_schedule_type,) if is_hires else None
            plan.full_sigmas = build_sigmas(
                sampler, scheduler_name, full, schedule, options, plan.infotext, is_sdxl=is_sdxl, hires=hires
            )
            plan.start_index = full - t_enc - 1
            plan.sigmas = plan.full_sigmas[plan.start_index :]
    if options.img2img_extra_noise > 0:
        plan.infotext["Extra noise"] = options.img2img_extra_noise
    _set_parameters(plan, fields)
    return plan


def check_steps(steps: int) -> None:
    """Raises: InvalidSteps unless steps is at least 1."""
    if steps < 1:
        raise InvalidSteps(f"{steps} sampling steps make no picture; ask for at least 1")


def schedule_for(sampler: SamplerInfo, schedule: DiscreteSchedule) -> DiscreteSchedule:
    """The table this sampler works on: LCM keeps 50 of the 1000 entries."""
    is_lcm = sampler.label == "LCM" and not isinstance(schedule, LCMSchedule)
    return LCMSchedule(schedule.alphas_cumprod, schedule.quantize) if is_lcm else schedule


def timestep_list(steps: int, options: SamplingOptions, infotext: dict[str, Any]) -> Tensor:
    """Ascending integer timesteps 1, 1+s, 1+2s, … with s = floor(1000/n). Raises: InvalidSteps."""
    if options.always_discard_next_to_last_sigma:
        infotext["Discard penultimate sigma"] = True
        steps += 1
    if steps > TIMESTEPS:
        raise InvalidSteps(f"the model knows {TIMESTEPS} timesteps and {steps} were asked for; take fewer steps or a higher strength")
    return torch.clip(torch.arange(0, TIMESTEPS, TIMESTEPS // steps) + 1, 0, TIMESTEPS - 1)


def build_sigmas(
    sampler: SamplerInfo,
    scheduler_name: str | None,
    steps: int,
    schedule: DiscreteSchedule,
    options: SamplingOptions,
    infotext: dict[str, Any] | None = None,
    *,
    is_sdxl: bool = False,
    hires: tuple[str | None] | None = None,
) -> Tensor:
    """The σ list of a k-diffusion sampler, float32 on the CPU; adds the keys it causes to `infotext`.

    hires: for the second pass, (the first pass' schedule type,).
    """
    infotext = {} if infotext is None else infotext
    discard = sampler.discard_next_to_last_sigma
    if options.always_discard_next_to_last_sigma and not discard:
        discard = True
        infotext["Discard penultimate sigma"] = True
    n = steps + 1 if discard else steps
    scheduler = resolve_schedule(sampler, scheduler_name)
    if scheduler is None or scheduler.function is None:
        sigmas = schedule.get_sigmas(n)
    else:
        _note_schedule(scheduler, infotext, hires)
        sigmas = scheduler.load()(**_schedule_arguments(scheduler, n, schedule, options, infotext, is_sdxl))
    if discard:
        sigmas = torch.cat([sigmas[:-2], sigmas[-1:]])
    return sigmas.cpu().float()


def resolve_schedule(sampler: SamplerInfo, scheduler_name: str | None) -> Scheduler | None:
    """The schedule that a name means for this sampler; None: the model's own."""
    scheduler = find_scheduler(scheduler_name or "Automatic")
    return find_scheduler(sampler.default_schedule) if scheduler is not None and scheduler.function is None else scheduler


def _note_schedule(scheduler: Scheduler, infotext: dict[str, Any], hires: tuple[str | None] | None) -> None:
    if hires is None:
        infotext["Schedule type"] = scheduler.label
    elif scheduler.label != hires[0]:
        infotext["Hires schedule type"] = scheduler.label


def _schedule_arguments(
    scheduler: Scheduler, n: int, schedule: DiscreteSchedule, options: SamplingOptions, infotext: dict[str, Any], is_sdxl: bool
) -> dict[str, Any]:
    low, high = OLD_KARRAS_RANGE if options.use_old_karras_scheduler_sigmas else (schedule.sigma_min, schedule.sigma_max)
    arguments: dict[str, Any] = {"n": n, "sigma_min": low, "sigma_max": high, "device": "cpu"}
    if options.sigma_min != 0 and options.sigma_min != schedule.sigma_min:
        arguments["sigma_min"] = infotext["Schedule min sigma"] = options.sigma_min
    if options.sigma_max != 0 and options.sigma_max != schedule.sigma_max:
        arguments["sigma_max"] = infotext["Schedule max sigma"] = options.sigma_max
    if scheduler.default_rho != -1 and options.rho != 0 and options.rho != scheduler.default_rho:
        arguments["rho"] = infotext["Schedule rho"] = options.rho
    if scheduler.need_inner_model:
        arguments["inner_model"] = schedule
    if scheduler.label == "Beta":
        infotext["Beta schedule alpha"] = options.beta_dist_alpha
        infotext["Beta schedule beta"] = options.beta_dist_beta
    known = {"is_sdxl": is_sdxl, "alpha": options.beta_dist_alpha, "beta": options.beta_dist_beta}
    return arguments | {name: known[name] for name in scheduler.extra}


def _set_parameters(plan: SamplingPlan, fields: RequestFields) -> None:
    accepted = inspect.signature(plan.sampler.load()).parameters
    _set_eta(plan, fields, accepted)
    _set_churn(plan, fields)
    if plan.sampler.options.get("solver_type") and "solver_type" in accepted:
        plan.kwargs["solver_type"] = plan.sampler.options["solver_type"]
    if plan.sampler.family == "timestep":
        _set_timestep_parameters(plan, accepted)
    elif not plan.is_empty:
        _set_range(plan, accepted)
        _check_k_walk(plan)


def _set_eta(plan: SamplingPlan, fields: RequestFields, accepted: Any) -> None:
    sampler = plan.sampler
    plan.eta = getattr(plan.options, sampler.eta_option) if fields.eta is None else fields.eta
    if "eta" in accepted:
        if plan.eta != sampler.eta_default:
            plan.infotext[sampler.eta_infotext] = plan.eta
        plan.kwargs["eta"] = plan.eta


def _set_churn(plan: SamplingPlan, fields: RequestFields) -> None:
    """The s_* parameters: the request's, unless a setting differs from its built-in default; only a setting is written down."""
    options = plan.options
    defaults = {"s_churn": 0.0, "s_tmin": 0.0, "s_tmax": math.inf, "s_noise": 1.0}
    for name in plan.sampler.parameters:
        setting, value = getattr(options, name), getattr(fields, name)
        value = setting if value is None else value
        if name == "s_tmax":
            setting, value = setting or math.inf, value or math.inf
        if setting != defaults[name]:
            value = plan.infotext[f"Sigma {name[2:]}"] = setting
        plan.kwargs[name] = value


def _set_range(plan: SamplingPlan, accepted: Any) -> None:
    """DPM fast and adaptive take ends and a budget in place of a list."""
    assert plan.sigmas is not None
    if "sigma_min" not in accepted:
        return
    if plan.kind == "txt2img":
        # A1111: the chosen schedule is ignored.
        low, high, n = plan.schedule.sigma_min, plan.schedule.sigma_max, plan.steps
    else:
        low, high, n = plan.sigmas[-2].item(), plan.sigmas[0].item(), len(plan.sigmas) - 1
    plan.kwargs |= {"sigma_min": low, "sigma_max": high} | ({"n": n} if "n" in accepted else {})
    if low >= high and plan.eta:
        raise TooFewSteps(
            f"{plan.sampler.label} needs at least two noise levels, this run has one; raise the steps or the denoising strength"
        )


def _check_k_walk(plan: SamplingPlan) -> None:
    assert plan.sigmas is not None
    multistep_sde = plan.sampler.brownian and not plan.sampler.second_order
    if multistep_sde and len(plan.sigmas) == 2 and plan.sigmas[1] == 0:
        raise TooFewSteps(
            f"{plan.sampler.label} has no step length yet after a single step; take 2 steps or more, or a higher denoising strength"
        )


def _set_timestep_parameters(plan: SamplingPlan, accepted: Any) -> None:
    if "variant" in accepted and "skip_type" in accepted:
        options = plan.options
        plan.kwargs |= {
            "variant": options.uni_pc_variant,
            "skip_type": options.uni_pc_skip_type,
            "order": options.uni_pc_order,
            "lower_order_final": options.uni_pc_lower_order_final,
        }
        if plan.timesteps is not None:
            check_unipc(len(plan.timesteps), options.uni_pc_order, options.uni_pc_variant)
    if "is_img2img" in accepted:
        plan.kwargs["is_img2img"] = plan.kind == "img2img"
