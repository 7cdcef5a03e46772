"""Whole differences: of weights and biases ("full"), and of norms."""

from __future__ import annotations

from torch import Tensor

from modules.adapters.kinds.layer import Layer


class Full(Layer):
    """`diff` and, where given, `diff_b`, as they are."""

    required = (("diff",),)

    def change(self, weight: Tensor, dyn: int | None) -> Tensor:
        return self.take(weight, "diff")

    def bias(self, weight: Tensor) -> Tensor | None:
        return self.take(weight, "diff_b") if "diff_b" in self.tensors else None


class Norm(Layer):
    """`w_norm` and `b_norm` of a GroupNorm or LayerNorm."""

    required = (("w_norm",),)

    def change(self, weight: Tensor, dyn: int | None) -> Tensor:
        return self.take(weight, "w_norm")

    def bias(self, weight: Tensor) -> Tensor | None:
        return self.take(weight, "b_norm") if "b_norm" in self.tensors else None
