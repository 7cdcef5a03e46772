"""The table of schedules ("Schedule type") in the order of the menus, readable without torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modules.diffusion.lazy import load_callable


@dataclass
class Scheduler:
    """A schedule: its name in requests, its label in menus and infotexts, and its formula.

    function: `f(n, sigma_min, sigma_max, device=…, [rho], [inner_model], [extra…]) -> float32 [n+1]` or its name for `load_callable`;
    None for Automatic. default_rho: −1 where the formula has no ρ. need_inner_model: it wants the DiscreteSchedule.
    extra: further keyword arguments it takes, of `is_sdxl`, `alpha`, `beta`.
    """

    name: str
    label: str
    function: str | Callable[..., Any] | None
    default_rho: float = -1
    need_inner_model: bool = False
    aliases: list[str] | None = None
    extra: tuple[str, ...] = ()

    def load(self) -> Callable[..., Any]:
        """The formula itself."""
        if self.function is None:
            raise TypeError(f"schedule {self.label!r} has no formula of its own; resolve it first")
        return load_callable(self.function)

    @property
    def names(self) -> list[str]:
        """Label, name and aliases: what may follow a sampler's name."""
        return [self.label, self.name, *(self.aliases or [])]


_HERE = "modules.diffusion.sigmas:"

SCHEDULERS: list[Scheduler] = [
    Scheduler("automatic", "Automatic", None),
    Scheduler("uniform", "Uniform", _HERE + "uniform", need_inner_model=True),
    Scheduler("karras", "Karras", _HERE + "karras", default_rho=7.0),
    Scheduler("exponential", "Exponential", _HERE + "exponential"),
    Scheduler("polyexponential", "Polyexponential", _HERE + "polyexponential", default_rho=1.0),
    Scheduler("sgm_uniform", "SGM Uniform", _HERE + "sgm_uniform", need_inner_model=True, aliases=["SGMUniform"]),
    Scheduler("kl_optimal", "KL Optimal", _HERE + "kl_optimal"),
    Scheduler("align_your_steps", "Align Your Steps", _HERE + "align_your_steps", extra=("is_sdxl",)),
    Scheduler("simple", "Simple", _HERE + "simple", need_inner_model=True),
    Scheduler("normal", "Normal", _HERE + "normal", need_inner_model=True),
    Scheduler("ddim", "DDIM", _HERE + "ddim", need_inner_model=True),
    Scheduler("beta", "Beta", _HERE + "beta", need_inner_model=True, extra=("alpha", "beta")),
]

AUTOMATIC = SCHEDULERS[0]


def find_scheduler(name: str | None) -> Scheduler | None:
    """The schedule of that exact name or label, else None."""
    for scheduler in SCHEDULERS:
        if name in (scheduler.name, scheduler.label):
            return scheduler
    return None
