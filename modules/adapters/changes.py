"""Changed weights while they are computed, one network after the other; the model itself is only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from modules.adapters.errors import LayerMismatch
from modules.adapters.layers import Place
from modules.nets.casting import base_weight
from modules.nets.memory import is_out_of_memory

if TYPE_CHECKING:
    from modules.adapters.kinds.layer import Layer

Slot = tuple[nn.Module, str]
"""A parameter's place: the module and the parameter's name."""


class Changes:
    """Changed weights while they are computed, one network after the other."""

    def __init__(self, whole_products: bool) -> None:
        self.whole_products = whole_products
        self._values: dict[Slot, Tensor] = {}

    def add(self, place: Place, layer: Layer, strength: float, dyn: int | None) -> None:
        """Add one layer of one network; raises LayerMismatch, and then changes nothing."""
        if strength == 0:
            return
        slot, bias_slot = (place.module, place.weight), (place.module, place.bias)
        weight = self._weight(place)
        part = weight[place.rows]
        if not self.whole_products and part.device.type == "cpu" and _is_half(layer):
            raise LayerMismatch("products of half-precision matrices are switched off")
        try:
            delta = layer.delta(part.float() if part.is_floating_point() else part, strength, dyn)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise LayerMismatch(str(error).partition("\n")[0]) from error
        bias = None if delta.bias is None else self._changed_bias(place, delta.bias, part)
        if delta.weight is not None:
            # rounded to the layer's type after every network, as if each were merged in turn
            summed = (part + delta.weight.to(part.device)).to(weight.dtype)
            if place.third is None:
                self._values[slot] = summed
            else:
                whole = weight.clone() if slot not in self._values else weight
                whole[place.rows] = summed
                self._values[slot] = whole
        if bias is not None:
            self._values[bias_slot] = bias

    def finished(self) -> dict[Slot, nn.Parameter]:
        """The changed parameters, in the type and memory layout of those they stand for."""
        changed = {}
        for (module, name), value in self._values.items():
            base = getattr(module, name)
            if base is not None:
                value = torch.empty_like(base.data).copy_(value)
            changed[module, name] = nn.Parameter(value, requires_grad=False)
        return changed

    def _weight(self, place: Place) -> Tensor:
        """The weight as it is so far."""
        found = self._values.get((place.module, place.weight))
        if found is not None:
            return found
        return base_weight(place.module) if place.weight == "weight" else getattr(place.module, place.weight)

    def _changed_bias(self, place: Place, change: Tensor, weight: Tensor) -> Tensor:
        """The bias so far plus the change; a layer without a bias gets one."""
        slot = (place.module, place.bias)
        bias: Tensor | None = self._values.get(slot, getattr(place.module, place.bias))
        rows = weight.shape[0]
        if change.numel() != rows:
            raise LayerMismatch(f"a bias of {change.numel()} numbers does not fit a layer of {rows} outputs")
        if bias is None:
            return change.reshape(rows).to(weight.dtype)
        whole = bias.clone()
        part = whole[place.rows]
        part.copy_((part.float() + change.reshape(rows).to(part.device)).to(part.dtype))
        return whole


def _is_half(layer: Layer) -> bool:
    """Whether a kind multiplies matrices that its file has in half precision.  # A1111: its torch could not on a processor"""
    return any(layer.tensors[name].dtype == torch.float16 for name in layer.multiplied())
