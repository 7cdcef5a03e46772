"""(IA)³ (Liu et al. 2022): every row, or every column, of a weight scaled by a number of its own."""

from __future__ import annotations

from torch import Tensor

from modules.adapters.errors import LayerMismatch
from modules.adapters.kinds.layer import Layer


class IA3(Layer):
    """Adds W times `weight`, one number for each input (`on_input`) or output."""

    required = (("weight",),)

    def change(self, weight: Tensor, dyn: int | None) -> Tensor:
        numbers = self.take(weight, "weight").flatten()
        on_input = "on_input" in self.tensors and bool(self.tensors["on_input"].any())
        axis = 1 if on_input else 0
        if weight.ndim < 2 or weight.shape[axis] != len(numbers):
            raise LayerMismatch(f"{len(numbers)} numbers do not fit a weight of shape {list(weight.shape)}")
        shape = [1] * weight.ndim
        shape[axis] = -1
        return weight * numbers.reshape(shape)
