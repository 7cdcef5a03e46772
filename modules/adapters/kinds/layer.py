"""What every kind of network layer shares: scale, weight decomposition, strength, and fitting the result to the layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from modules.adapters.errors import LayerMismatch

Tensors = Mapping[str, Tensor]
"""A layer's tensors by the part of their key behind the layer's name: "alpha", "lora_up.weight"."""

INPAINT_CHANNELS = 9


@dataclass(frozen=True)
class Delta:
    """What is added to a layer's weight and bias; None: nothing."""

    weight: Tensor | None
    bias: Tensor | None = None


class Layer:
    """One layer of a network file. `strength` is the tag's multiplier, `dyn` the ranks to use of a LoRA (None: all)."""

    required: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """The kind is recognised by all tensors of any of these groups."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors
        self.alpha = _number(tensors.get("alpha"))
        self.scale = _number(tensors.get("scale"))
        self.dora_scale = tensors.get("dora_scale")

    @classmethod
    def recognises(cls, tensors: Tensors) -> bool:
        return any(all(name in tensors for name in group) for group in cls.required)

    @property
    def rank(self) -> int | None:
        """The inner dimension that alpha is divided by, None where the kind knows none."""
        return None

    def delta(self, weight: Tensor, strength: float, dyn: int | None = None) -> Delta:
        """What this layer adds to a weight (float32, any shape) at a strength; raises LayerMismatch where it does not fit."""
        change = self._fitted(self.change(weight, dyn), weight) * self.factor()
        if self.dora_scale is not None:
            change = decomposed(change, weight, self.like(weight, self.dora_scale))
        bias = self.bias(weight)
        return Delta(change * strength, None if bias is None else bias * strength)

    def change(self, weight: Tensor, dyn: int | None) -> Tensor:
        """The change of the weight before scale and strength."""
        raise NotImplementedError

    def bias(self, weight: Tensor) -> Tensor | None:
        """The change of the bias before strength."""
        return None

    def multiplied(self) -> tuple[str, ...]:
        """Names of tensors that are multiplied with one another as matrices in the file's own type."""
        return ()

    def factor(self) -> float:
        """The file's own scale: explicit, else alpha over rank where both are known, else 1."""
        if self.scale is not None:
            return self.scale
        return self.alpha / self.rank if self.alpha is not None and self.rank else 1.0

    def like(self, weight: Tensor, tensor: Tensor) -> Tensor:
        """A tensor of the file in the type and on the device of the weight."""
        return tensor.to(device=weight.device, dtype=weight.dtype)

    def take(self, weight: Tensor, name: str) -> Tensor:
        """The named tensor of the file, see `like`."""
        return self.like(weight, self.tensors[name])

    def _fitted(self, change: Tensor, weight: Tensor) -> Tensor:
        """The change in the weight's shape.  # A1111: an equal number of elements is enough"""
        if change.numel() == weight.numel():
            return change.reshape(weight.shape)
        if weight.ndim == change.ndim == 4 and weight.shape[1] == INPAINT_CHANNELS and change.shape[1] == 4:
            # an inpainting model's first convolution sees five channels more than the models that networks are made for
            return functional.pad(change, (0, 0, 0, 0, 0, INPAINT_CHANNELS - 4))
        raise LayerMismatch(f"a change of shape {list(change.shape)} does not fit a weight of shape {list(weight.shape)}")


def decomposed(change: Tensor, weight: Tensor, magnitude: Tensor) -> Tensor:
    """The change that gives the columns of the changed weight these magnitudes (Liu et al. 2024, DoRA, equation 5).

    A1111: norms are always those of the input columns, also where the magnitudes are one for each output row.
    """
    changed = weight + change
    columns = changed.transpose(0, 1)
    norms = columns.reshape(len(columns), -1).norm(dim=1).reshape(len(columns), *[1] * (changed.ndim - 1)).transpose(0, 1)
    return changed * (magnitude / norms) - weight


def core_product(core: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """A weight [R, S, k, l] from its core [i, j, k, l] and the factors [i, R] and [j, S] (Tucker decomposition)."""
    return torch.einsum("ijkl,ir,js->rskl", core, first, second)


def _number(tensor: Tensor | None) -> float | None:
    return None if tensor is None or tensor.numel() != 1 else float(tensor)
