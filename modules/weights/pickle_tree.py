"""A pickle's value -> its named tensors and what else it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modules.weights.pickle_numpy import NumpyArray
from modules.weights.pickle_values import ITEM_SIZES, Broken, Parameters, StoredTensor, Unsafe, quoted

MAX_DEPTH = 32
MAX_NODES = 300_000
MAX_NAME = 500
MAX_REPEATED = 16
WRAPPER = "state_dict"
TRAINING = frozenset(("optimizer_states", "optimizer_state_dict", "optimizer", "lr_schedulers", "lr_scheduler", "callbacks", "loops"))
"""What a training run keeps beside the weights in order to go on; no picture depends on it."""


def split(value: Any) -> tuple[dict[str, StoredTensor], dict[Any, Any]]:
    """Tensors by name, and the top-level items without tensors in them.

    The tensors of a `state_dict` go without that prefix, other levels are joined by dots (`params_ema.conv.weight`,
    `768.0.linear.weight`); what a training run keeps for itself is left out. Raises Broken or Unsafe.
    """
    if not isinstance(value, dict):
        raise Broken("holds no dictionary of weights")
    wrapped = value.get(WRAPPER)
    walk = _Walk()
    tensors: dict[str, StoredTensor] = {}
    values: dict[Any, Any] = {}
    for name, item in value.items():
        if isinstance(name, str) and name in TRAINING:
            continue
        if name == WRAPPER and isinstance(wrapped, dict):
            _add(tensors, walk.tensors(item, "", 0))
            continue
        found = list(walk.tensors(item, _name(name), 0))
        if found and not isinstance(wrapped, dict):
            _add(tensors, found)
        elif not found:
            values[name] = item
    return tensors, values


def check_total(tensors: Mapping[str, StoredTensor], size: int) -> None:
    """Refuse a file whose tensors, all written out, would be many times the file (each a view of the same bytes)."""
    total = sum(tensor.elements * ITEM_SIZES[tensor.dtype] for tensor in tensors.values())
    if total > MAX_REPEATED * size:
        raise Unsafe(f"repeats its bytes {total // max(size, 1):,} times over")


class _Walk:
    """One walk over a value; shared parts are visited as often as they are named, so the visits are counted."""

    def __init__(self) -> None:
        self.nodes = 0

    def tensors(self, value: Any, name: str, depth: int) -> Iterator[tuple[str, StoredTensor]]:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise Unsafe("nests its values too deeply or in a circle")
        if isinstance(value, NumpyArray):
            value = value.tensor()
        if isinstance(value, Parameters):
            value = value.tensors
        if isinstance(value, StoredTensor):
            yield name, value
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from self.tensors(item, f"{name}.{_name(key)}" if name else _name(key), depth + 1)
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                yield from self.tensors(item, f"{name}.{index}", depth + 1)


def _add(tensors: dict[str, StoredTensor], found: Any) -> None:
    for name, tensor in found:
        if len(name) > MAX_NAME:
            raise Unsafe(f"gives a tensor a name of {len(name):,} characters")
        if name in tensors:
            raise Broken(f"names the tensor {quoted(name)} twice")
        tensors[name] = tensor


def _name(key: Any) -> str:
    if isinstance(key, str) and len(key) > MAX_NAME:
        raise Unsafe(f"gives a value a name of {len(key):,} characters")
    return key if isinstance(key, str) else quoted(key)[1:-1]
