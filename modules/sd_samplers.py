"""Samplers by name (platform.md §4.14)."""

from __future__ import annotations

from typing import Any

from modules.diffusion.samplers.registry import SAMPLERS, SamplerInfo, find_sampler
from modules.diffusion.samplers.registry import resolve as _resolve
from modules.diffusion.samplers.registry import samplers_map as _by_any_name
from modules.extend import host

all_samplers: list[SamplerInfo] = list(SAMPLERS)
all_samplers_map: dict[str, SamplerInfo] = {sampler.name: sampler for sampler in all_samplers}
samplers = all_samplers
samplers_for_img2img = all_samplers
samplers_map: dict[str, str] = _by_any_name()
samplers_hidden: set[str] = set()


def find_sampler_config(name: str | None) -> SamplerInfo | None:
    """The sampler with this name."""
    return find_sampler(name) if name is not None else all_samplers[0]


def visible_samplers() -> list[SamplerInfo]:
    """The samplers that the settings do not hide."""
    hidden = set(host.current().opts.hide_samplers)
    return [sampler for sampler in all_samplers if sampler.name not in hidden]


def visible_sampler_names() -> list[str]:
    """Names of the samplers that the settings do not hide."""
    return [sampler.name for sampler in visible_samplers()]


def get_sampler_and_scheduler(sampler_name: str | None, scheduler_name: str | None, *, convert_automatic: bool = True) -> tuple[str, str]:
    """The names of sampler and schedule that a request's names mean."""
    sampler, scheduler = _resolve(sampler_name, scheduler_name)
    automatic = convert_automatic and sampler.default_schedule == scheduler.label
    return sampler.name, "Automatic" if automatic else scheduler.label


def set_samplers() -> None:
    """The table of names, made anew."""
    samplers_map.clear()
    samplers_map.update(_by_any_name())


def __getattr__(name: str) -> Any:
    if name == "samplers_to_hide":
        return host.current().opts.hide_samplers
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
