"""Recorded networks: weights, inputs and outputs of the original classes at tiny size."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from golden_data import golden
from safetensors.torch import load_file
from torch import Tensor


@dataclass(frozen=True)
class Recorded:
    """One golden network: its constructor's arguments, weights under the network's own names, and the tensors of each case."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    cases: dict[str, dict[str, Tensor]]


@pytest.fixture
def recorded() -> Callable[..., Recorded]:
    """`recorded("unet", "sdxl", *prefixes)` reads a golden; `prefixes` is what its keys may have before the network's own."""
    return _recorded


@pytest.fixture
def full_size_shapes() -> Callable[[str], dict[str, tuple[int, ...]]]:
    """Keys and shapes of a released file, by the fixture's name."""
    return _full_size_shapes


@pytest.fixture(autouse=True)
def no_gradients(request: pytest.FixtureRequest):
    """Networks run without gradients unless the test is marked `@pytest.mark.usefixtures("gradients")`."""
    with torch.set_grad_enabled("gradients" in request.fixturenames):
        yield


@pytest.fixture
def gradients() -> None:
    """Asks for gradients."""


@pytest.fixture
def assert_close() -> Callable[..., None]:
    """`assert_close(actual, expected, tolerance)`: largest absolute difference within the recordings' fair tolerance."""

    def check(actual: Tensor, expected: Tensor, tolerance: float = 5e-5) -> None:
        torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)

    return check


def _recorded(folder: str, name: str, *prefixes: str) -> Recorded:
    description = golden("nets", folder, f"{name}.json")
    weights: dict[str, Tensor] = {}
    for shard in sorted(description.parent.glob(f"{name}.weights*.safetensors")):
        weights |= {_without(key, prefixes): tensor for key, tensor in load_file(shard).items()}
    cases: dict[str, dict[str, Tensor]] = {}
    for key, tensor in load_file(description.with_name(f"{name}.io.safetensors")).items():
        case, _, field = key.partition("/")
        cases.setdefault(case, {})[field] = tensor
    return Recorded(json.loads(description.read_text("utf-8"))["config"], weights, cases)


def _without(key: str, prefixes: tuple[str, ...]) -> str:
    for prefix in prefixes:
        if key.startswith(prefix):
            return key.removeprefix(prefix)
    return key


def _full_size_shapes(name: str) -> dict[str, tuple[int, ...]]:
    with gzip.open(golden("nets", "fixtures", f"{name}.json.gz"), "rt", encoding="utf-8") as file:
        return {key: tuple(shape) for key, (shape, _) in json.load(file)["tensors"].items()}
