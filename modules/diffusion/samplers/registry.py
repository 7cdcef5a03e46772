"""The table of samplers in the order of the menus, readable without torch, and how their names are understood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from modules.diffusion.lazy import K_DIFFUSION, load_callable
from modules.diffusion.schedulers import AUTOMATIC, SCHEDULERS, Scheduler, find_scheduler

Family = Literal["k", "timestep"]
CHURN = ("s_churn", "s_tmin", "s_tmax", "s_noise")
NOISE = ("s_noise",)


@dataclass
class SamplerInfo:
    """A sampler: label, function and traits.

    function: `sample(model, x, sigmas | timesteps, extra_args, callback, disable, **parameters)` or its name for `load_callable`.
    options: A1111's option dictionary (`scheduler`, `second_order`, `uses_ensd`, `discard_next_to_last_sigma`, `brownian_noise`,
    `solver_type`), as the API lists it. family "k": steps through σ and denoises; "timestep": steps through t and predicts noise.
    parameters: the s_* fields the function understands.
    """

    label: str
    function: str | Callable[..., Any]
    aliases: list[str]
    options: dict[str, Any] = field(default_factory=dict)
    family: Family = "k"
    parameters: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The label; A1111's word for it."""
        return self.label

    @property
    def default_schedule(self) -> str | None:
        """Name of the schedule that Automatic means, None for the model's own."""
        return self.options.get("scheduler")

    @property
    def second_order(self) -> bool:
        """Two evaluations are planned per step."""
        return bool(self.options.get("second_order", False))

    @property
    def uses_ensd(self) -> bool:
        """`ENSD` belongs into the infotext."""
        return bool(self.options.get("uses_ensd", False))

    @property
    def discard_next_to_last_sigma(self) -> bool:
        """The schedule is built one longer and its second-to-last value dropped."""
        return bool(self.options.get("discard_next_to_last_sigma", False))

    @property
    def brownian(self) -> bool:
        """Noise comes from a Brownian tree."""
        return bool(self.options.get("brownian_noise", False))

    @property
    def eta_option(self) -> str:
        """The setting that holds this sampler's η."""
        return "eta_ancestral" if self.family == "k" else "eta_ddim"

    @property
    def eta_default(self) -> float:
        """The η that is not worth a word in the infotext."""
        return 1.0 if self.family == "k" else 0.0

    @property
    def eta_infotext(self) -> str:
        """The infotext key of η."""
        return "Eta" if self.family == "k" else "Eta DDIM"

    def total_steps(self, steps: int) -> int:
        """Evaluations planned for `steps` steps."""
        return steps * 2 if self.second_order else steps

    def load(self) -> Callable[..., Any]:
        """The sampling function itself."""
        return load_callable(self.function)


def _k(label: str, function: str, aliases: list[str], parameters: tuple[str, ...] = (), **options: Any) -> SamplerInfo:
    return SamplerInfo(label, f"{K_DIFFUSION}:{function}", aliases, options, "k", parameters)


def _own(label: str, function: str, alias: str, family: Family, **options: Any) -> SamplerInfo:
    return SamplerInfo(label, f"modules.diffusion.samplers.{function}", [alias], options, family)


_KARRAS: dict[str, Any] = {"scheduler": "karras"}
_EXPONENTIAL: dict[str, Any] = {"scheduler": "exponential"}
_SDE: dict[str, Any] = {"brownian_noise": True}
_SECOND: dict[str, Any] = {"second_order": True}
_ENSD: dict[str, Any] = {"uses_ensd": True}
_DISCARD: dict[str, Any] = {"discard_next_to_last_sigma": True}

SAMPLERS: list[SamplerInfo] = [
    _k("DPM++ 2M", "sample_dpmpp_2m", ["k_dpmpp_2m"], **_KARRAS),
    _k("DPM++ SDE", "sample_dpmpp_sde", ["k_dpmpp_sde"], NOISE, **_KARRAS, **_SECOND, **_SDE),
    _k("DPM++ 2M SDE", "sample_dpmpp_2m_sde", ["k_dpmpp_2m_sde"], NOISE, **_EXPONENTIAL, **_SDE),
    _k("DPM++ 2M SDE Heun", "sample_dpmpp_2m_sde", ["k_dpmpp_2m_sde_heun"], NOISE, **_EXPONENTIAL, **_SDE, solver_type="heun"),
    _k("DPM++ 2S a", "sample_dpmpp_2s_ancestral", ["k_dpmpp_2s_a"], NOISE, **_KARRAS, **_ENSD, **_SECOND),
    _k("DPM++ 3M SDE", "sample_dpmpp_3m_sde", ["k_dpmpp_3m_sde"], NOISE, **_EXPONENTIAL, **_DISCARD, **_SDE),
    _k("Euler a", "sample_euler_ancestral", ["k_euler_a", "k_euler_ancestral"], **_ENSD),
    _k("Euler", "sample_euler", ["k_euler"], CHURN),
    _k("LMS", "sample_lms", ["k_lms"]),
    _k("Heun", "sample_heun", ["k_heun"], CHURN, **_SECOND),
    _k("DPM2", "sample_dpm_2", ["k_dpm_2"], CHURN, **_KARRAS, **_DISCARD, **_SECOND),
    _k("DPM2 a", "sample_dpm_2_ancestral", ["k_dpm_2_a"], NOISE, **_KARRAS, **_DISCARD, **_ENSD, **_SECOND),
    _k("DPM fast", "sample_dpm_fast", ["k_dpm_fast"], NOISE, **_ENSD),
    _k("DPM adaptive", "sample_dpm_adaptive", ["k_dpm_ad"], **_ENSD),
    _own("Restart", "restart:sample_restart", "restart", "k", **_KARRAS, **_SECOND),
    _own("DDIM", "ddim:sample_ddim", "ddim", "timestep"),
    _own("DDIM CFG++", "ddim:sample_ddim_cfgpp", "ddim_cfgpp", "timestep"),
    _own("PLMS", "plms:sample_plms", "plms", "timestep"),
    _own("UniPC", "unipc:sample_unipc", "unipc", "timestep"),
    _own("LCM", "lcm:sample_lcm", "k_lcm", "k"),
]


def find_sampler(label: str | None) -> SamplerInfo | None:
    """The sampler of that exact label, else None."""
    return next((sampler for sampler in SAMPLERS if sampler.label == label), None)


def samplers_map() -> dict[str, str]:
    """Lower-case label or alias -> label: the forgiving map of X/Y/Z plots and imports."""
    return {name.lower(): sampler.label for sampler in SAMPLERS for name in (sampler.label, *sampler.aliases)}


def split_sampler_name(name: str) -> tuple[str, Scheduler | None]:
    """Takes a schedule's label, name or alias off the end: "DPM++ 2M Karras" -> ("DPM++ 2M", Karras)."""
    found = None
    for scheduler in SCHEDULERS:
        for option in scheduler.names:
            if name.endswith(" " + option):
                found, name = scheduler, name[: -len(option) - 1]
                break
    return name, found


def resolve(
    sampler_name: str | None, scheduler_name: str | None = None, *, convert_automatic: bool = False
) -> tuple[SamplerInfo, Scheduler]:
    """What the two names of a request mean.

    An unknown sampler is the first of the list, an unknown schedule Automatic; matching is case-sensitive. convert_automatic: a
    schedule that is the sampler's own default becomes Automatic, as infotexts and the API's preparation read it.
    """
    label, suffix = split_sampler_name(sampler_name or SAMPLERS[0].label)
    sampler = find_sampler(label) or SAMPLERS[0]
    scheduler = suffix or find_scheduler(scheduler_name) or AUTOMATIC
    if convert_automatic and sampler.default_schedule == scheduler.name:
        scheduler = AUTOMATIC
    return sampler, scheduler


def uses_ensd(sampler: SamplerInfo, eta: float) -> bool:
    """Whether a non-zero `eta_noise_seed_delta` is written into the infotext for this sampler and its η."""
    return sampler.uses_ensd and eta != 0
