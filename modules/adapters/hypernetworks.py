"""Hypernetworks: their files, and hanging them into a UNet's attention."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from modules.nets.attention import CrossAttention
from modules.nets.hypernetwork import HypernetworkConfig, HypernetworkModule, default_dropout
from modules.weights.errors import MissingKeys, UnknownFamily, WrongShape
from modules.weights.open_tensors import open_tensors

if TYPE_CHECKING:
    from modules.weights.weight_file import WeightFile

log = logging.getLogger(__name__)

KIND = "hypernetwork"
MAX_WIDTH = 16384
_KEY = re.compile(r"(\d+)\.([01])\.(linear.*)")
_OLD_NAMES = {"linear1.bias": "linear.0.bias", "linear1.weight": "linear.0.weight",
              "linear2.bias": "linear.1.bias", "linear2.weight": "linear.1.weight"}  # fmt: skip

Pair = tuple[HypernetworkModule, HypernetworkModule]
"""The networks for keys and for values."""


@dataclass(frozen=True)
class Hypernetwork:
    """A hypernetwork in memory: a pair of networks for each width of context it knows."""

    name: str
    filename: Path
    pairs: Mapping[int, Pair]
    step: int | None = None
    sd_checkpoint: str | None = None
    sd_checkpoint_name: str | None = None


def load_hypernetwork(path: Path, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Hypernetwork:
    """Read a hypernetwork file. Raises a WeightsError."""
    with open_tensors(path, kind=KIND) as file, torch.inference_mode(False), torch.no_grad():
        notes = file.values
        config = _config(file, notes)
        parts: dict[int, dict[int, dict[str, str]]] = {}
        for key in file.keys():  # noqa: SIM118  # a file is no dict
            if match := _KEY.fullmatch(key):
                parts.setdefault(int(match[1]), {}).setdefault(int(match[2]), {})[_OLD_NAMES.get(match[3], match[3])] = key
        if not parts:
            raise UnknownFamily(path, "is no hypernetwork; put hypernetworks there and nothing else", kind=KIND)
        pairs = {width: _pair(file, width, found, config, device, dtype) for width, found in parts.items()}
    name = notes.get("name")
    step, checkpoint, checkpoint_name = notes.get("step"), notes.get("sd_checkpoint"), notes.get("sd_checkpoint_name")
    return Hypernetwork(name if isinstance(name, str) else path.stem, path, pairs, step, checkpoint, checkpoint_name)


def _config(file: WeightFile, notes: Mapping[Any, Any]) -> HypernetworkConfig:
    structure = _numbers(notes.get("layer_structure")) or (1, 2, 1)
    dropout = _numbers(notes.get("dropout_structure"))
    if dropout is None and notes.get("use_dropout"):
        dropout = default_dropout(structure, bool(notes.get("last_layer_dropout")))
    try:
        return HypernetworkConfig(
            structure=structure,
            activation=notes.get("activation_func"),
            layer_norm=bool(notes.get("is_layer_norm", False)),
            activate_output=bool(notes.get("activate_output", True)),  # A1111: files that do not say are of the time when it was so
            dropout=dropout or (),
        )
    except (ValueError, TypeError) as error:
        raise UnknownFamily(file.path, f"is of an unknown build: {error}", kind=KIND) from error


def _pair(
    file: WeightFile, width: int, parts: Mapping[int, Mapping[str, str]], config: HypernetworkConfig, device: Any, dtype: torch.dtype
) -> Pair:
    if set(parts) != {0, 1} or not 0 < width <= MAX_WIDTH:
        raise MissingKeys(file.path, f"lacks a network of its pair for width {width}; download it again", kind=KIND)
    keys, values = (_module(file, width, parts[index], config, device, dtype) for index in (0, 1))
    return keys, values


def _module(
    file: WeightFile, width: int, parts: Mapping[str, str], config: HypernetworkConfig, device: Any, dtype: torch.dtype
) -> HypernetworkModule:
    with torch.device("meta"):
        module = HypernetworkModule(width, config)
    wanted = module.state_dict()
    if missing := sorted(wanted.keys() - parts.keys()):
        raise MissingKeys(file.path, f"lacks tensors of its network for width {width}: {missing[0]}; download it again", kind=KIND)
    state = {}
    for name, meta in wanted.items():
        if file.shapes[parts[name]] != tuple(meta.shape):
            problem = f"has '{parts[name]}' in shape {list(file.shapes[parts[name]])} where {list(meta.shape)} is needed; download it again"
            raise WrongShape(file.path, problem, kind=KIND)
        state[name] = file.read(parts[name], dtype, device)
    module.load_state_dict(state, strict=True, assign=True)
    module.eval().requires_grad_(False)
    return module


def _numbers(value: Any) -> tuple[float, ...] | None:
    if not isinstance(value, list | tuple) or not all(isinstance(item, int | float) for item in value):
        return None
    return tuple(value)


class Attached:
    """Hypernetworks hung into the attention layers of one network; `detach` takes them out."""

    def __init__(self, net: nn.Module, active: Sequence[tuple[Hypernetwork, float]]) -> None:
        self.active = tuple(active)
        self._layers = [layer for layer in net.modules() if isinstance(layer, CrossAttention)]
        for layer in self._layers:
            layer.contexts = self.contexts  # type: ignore[method-assign]

    def contexts(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """What keys and values are made from: the context [B, T, width], changed by every hypernetwork that knows its width."""
        for_key = for_value = context
        for hypernetwork, strength in self.active:
            pair = hypernetwork.pairs.get(for_key.shape[-1])
            if pair is not None:
                for_key, for_value = _applied(pair[0], for_key, strength), _applied(pair[1], for_value, strength)
        return for_key, for_value

    def detach(self) -> None:
        """Give the layers their own method back; may be called twice."""
        for layer in self._layers:
            with suppress(AttributeError):
                del layer.contexts
        self._layers = []


def _applied(module: HypernetworkModule, context: Tensor, strength: float) -> Tensor:
    weight = next(module.parameters())
    if weight.device != context.device:
        module.to(context.device)
    if weight.dtype == context.dtype:
        return module(context, strength)
    return module(context.to(weight.dtype), strength).to(context.dtype)
