"""The lists of requirements: pinned, closed, and installable as they stand."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

packaging_requirements = pytest.importorskip("packaging.requirements")
from packaging.requirements import Requirement  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
LISTS = ("requirements.txt", "requirements-dev.txt", "requirements-nodeps.txt", "constraints.txt")
OF_TORCH = re.compile(r"(triton|nvidia-.*|cuda-.*|setuptools)$")  # torch pins its own
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def requirements(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return [Requirement(line.split(" #")[0]) for line in lines if line and not line.startswith(("#", "-"))]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name: str, python: str) -> dict[str, str]:
    environment = {"python_version": python, "python_full_version": python + ".0"}
    chosen = [item for item in requirements(name) if not item.marker or item.marker.evaluate(environment)]
    assert len({normal(item.name) for item in chosen}) == len(chosen), f"{name} names a package twice for Python {python}"
    return {normal(item.name): str(item.specifier) for item in chosen}


@pytest.mark.parametrize("name", LISTS)
def test_everything_is_pinned(name: str) -> None:
    loose = [str(item) for item in requirements(name) if not re.fullmatch(r"==[^,*]+", str(item.specifier))]
    assert loose == []


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_agrees_with_the_requirements(name: str, python: str) -> None:
    lock = pins("constraints.txt", python)
    assert {package: lock.get(package) for package in pins(name, python)} == pins(name, python)


def test_the_lock_holds_all_that_installed_packages_need() -> None:
    """Run `tools/lock.py` when this fails."""
    lock = {normal(item.name) for item in requirements("constraints.txt")}
    missing = {}
    for package in sorted(lock):
        try:
            needs = metadata.requires(package) or []
        except metadata.PackageNotFoundError:
            continue  # for another Python or platform
        for need in map(Requirement, needs):
            name = normal(need.name)
            wanted = need.marker is None or need.marker.evaluate({"extra": ""})
            if wanted and name not in lock and not OF_TORCH.match(name):
                missing[name] = package
    assert missing == {}
