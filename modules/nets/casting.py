"""Layers that compute in their input's type whatever type their weights are stored in: fp8 storage, and float32 on half weights.

A layer changes its class, nothing else: its name, parameters, hooks and place in the network stay what they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

FP8 = torch.float8_e4m3fn
CACHE = "fp16_weight"
"""Attribute of a layer stored in fp8 that holds its weight in float16, where the settings ask for it (A1111's name)."""


def _as(parameter: Tensor | None, like: Tensor) -> Tensor | None:
    return None if parameter is None else parameter.to(like.dtype)


class CastingLinear(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight.to(x.dtype), _as(self.bias, x))


class CastingConv2d(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight.to(x.dtype), _as(self.bias, x))


class CastingGroupNorm(nn.GroupNorm):
    def forward(self, x: Tensor) -> Tensor:
        return functional.group_norm(x, self.num_groups, _as(self.weight, x), _as(self.bias, x), self.eps)


class CastingLayerNorm(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.normalized_shape, _as(self.weight, x), _as(self.bias, x), self.eps)


CASTING: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: CastingLinear,
    nn.Conv2d: CastingConv2d,
    nn.GroupNorm: CastingGroupNorm,
    nn.LayerNorm: CastingLayerNorm,
}
for _plain, _casting in CASTING.items():
    _casting.__name__ = _casting.__qualname__ = _plain.__name__  # extensions recognise layers by the name of their class


def store_in_fp8(net: nn.Module, *, keep_half: bool = False) -> None:
    """Store weights and biases of all linear and 2-d convolution layers as float8_e4m3fn; they compute in their input's type.

    Parameters stay the same objects. With `keep_half` each layer keeps its weight as float16 on the CPU as well, for LoRAs to be
    merged into without the loss (`base_weight`). Doing it twice does nothing; the way back is to read the weights again.
    A network with a `dtype` goes on computing in it.
    """
    if hasattr(net, "dtype"):
        net.compute_dtype = net.dtype
    for layer in net.modules():
        if type(layer) not in (nn.Linear, nn.Conv2d):
            continue
        if keep_half:
            setattr(layer, CACHE, layer.weight.data.to("cpu", torch.float16))
        for parameter in layer.parameters(recurse=False):
            parameter.data = parameter.data.to(FP8)
        layer.__class__ = CASTING[type(layer)]


def is_stored_in_fp8(net: nn.Module) -> bool:
    """Whether any weight of the network is stored as fp8."""
    return any(parameter.dtype == FP8 for parameter in net.parameters())


def base_weight(layer: nn.Module) -> Tensor:
    """The weight [out, in, ...] that a change is to be added to: the float16 one kept beside an fp8 one, else the layer's own.

    An fp8 weight comes as float16, in which sums can be computed.
    """
    kept = getattr(layer, CACHE, None)
    weight: Tensor = layer.weight  # type: ignore[assignment]
    if kept is not None:
        return kept.to(weight.device)
    return weight.to(torch.float16) if weight.dtype == FP8 else weight


@contextmanager
def computing_in(net: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """While it is open, the network computes in `dtype`; its weights stay as they are and are cast layer by layer.

    Takes one layer's weights of memory more, and time for the casts. The network says its type by an attribute
    `compute_dtype`, if it has one.
    """
    changed = [layer for layer in net.modules() if type(layer) in CASTING]
    before = getattr(net, "compute_dtype", None)
    for layer in changed:
        layer.__class__ = CASTING[type(layer)]
    net.compute_dtype = dtype  # type: ignore[assignment]
    try:
        yield
    finally:
        net.compute_dtype = before  # type: ignore[assignment]
        for layer in changed:
            layer.__class__ = type(layer).__bases__[0]


@contextmanager
def upcast_norms() -> Iterator[None]:
    """While it is open, group norms and GELUs of half precision networks are computed in float32 (`--upcast-sampling`)."""
    with _UpcastNorms():
        yield


class _UpcastNorms(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in (functional.group_norm, functional.gelu) or args[0].dtype == torch.float32:
            return func(*args, **(kwargs or {}))
        upcast = [value.float() if isinstance(value, Tensor) else value for value in args]
        return func(*upcast, **{name: v.float() if isinstance(v, Tensor) else v for name, v in (kwargs or {}).items()}).to(args[0].dtype)
