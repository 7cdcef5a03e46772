"""The tables the API lists, and what names mean."""

from __future__ import annotations

import subprocess
import sys

import pytest
from diffusion.toys import facts

from modules.diffusion.samplers.registry import SAMPLERS, resolve, samplers_map, uses_ensd
from modules.diffusion.schedulers import SCHEDULERS


def test_samplers_as_listed() -> None:
    ours = [
        {"name": s.label, "aliases": s.aliases, "options": {key: str(value) for key, value in s.options.items()}} for s in SAMPLERS
    ]
    listed = facts("lists", "samplers.json")
    assert ours == listed
    assert [list(s["options"]) for s in ours] == [list(s["options"]) for s in listed]


def test_schedulers_as_listed() -> None:
    ours = [
        {"name": s.name, "label": s.label, "aliases": s.aliases, "default_rho": s.default_rho, "need_inner_model": s.need_inner_model}
        for s in SCHEDULERS
    ]
    assert ours == facts("lists", "schedulers.json")


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.label)
def test_every_function_loads(sampler: object) -> None:
    assert callable(sampler.load())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("sampler", "scheduler", "expected"),
    [
        ("DPM++ 2M Karras", None, ("DPM++ 2M", "Karras")),
        ("DPM++ 2M Karras", "Exponential", ("DPM++ 2M", "Karras")),
        ("Euler a SGMUniform", None, ("Euler a", "SGM Uniform")),
        ("Euler sgm_uniform", None, ("Euler", "SGM Uniform")),
        ("Euler", "karras", ("Euler", "Karras")),
        ("euler", None, ("DPM++ 2M", "Automatic")),
        (None, "No Such", ("DPM++ 2M", "Automatic")),
        ("DDIM", None, ("DDIM", "Automatic")),
        ("Nope Karras", None, ("DPM++ 2M", "Karras")),
    ],
)
def test_names(sampler: str | None, scheduler: str | None, expected: tuple[str, str]) -> None:
    found, schedule = resolve(sampler, scheduler)
    assert (found.label, schedule.label) == expected


def test_own_default_becomes_automatic_only_when_asked() -> None:
    assert resolve("DPM++ 2M", "Karras")[1].label == "Karras"
    assert resolve("DPM++ 2M", "Karras", convert_automatic=True)[1].label == "Automatic"
    assert resolve("Euler", "Karras", convert_automatic=True)[1].label == "Karras"


def test_forgiving_map_knows_aliases() -> None:
    assert samplers_map()["k_euler_ancestral"] == "Euler a" and samplers_map()["unipc"] == "UniPC"


def test_ensd_is_written_for_flagged_samplers_with_eta() -> None:
    euler_a, _ = resolve("Euler a")
    assert uses_ensd(euler_a, 1.0) and not uses_ensd(euler_a, 0.0) and not uses_ensd(resolve("Euler")[0], 1.0)


def test_tables_are_read_without_torch() -> None:
    code = "import sys, modules.diffusion.samplers.registry, modules.diffusion.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
