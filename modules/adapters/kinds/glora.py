"""GLoRA (Chavan et al. 2023): a low-rank change of its own plus one made from the weight."""

from __future__ import annotations

import torch
from torch import Tensor

from modules.adapters.kinds.layer import Layer, Tensors


class GLoRA(Layer):
    """b2·b1 + (W·a2)·a1; files of later LyCORIS name the factors the other way round: b1·b2 + W·(a1·a2), times alpha over rank."""

    required = (("a1.weight", "a2.weight", "b1.weight", "b2.weight"),)

    def __init__(self, tensors: Tensors) -> None:
        super().__init__(tensors)
        shapes = [tensors[name].shape for name in self.required[0]]
        self.later = shapes[0][0] == shapes[1][1] and shapes[2][1] == shapes[3][0] and shapes[0][0] > shapes[0][1]

    @property
    def rank(self) -> int | None:
        return self.tensors["a2.weight"].shape[0] if self.later else None

    def multiplied(self) -> tuple[str, ...]:
        return self.required[0]

    def change(self, weight: Tensor, dyn: int | None) -> Tensor:
        a1, a2, b1, b2 = (self._matrix(weight, name) for name in self.required[0])
        if self.later:
            return (b1 @ b2).reshape(weight.shape) + torch.einsum("oi...,ij->oj...", weight, a1 @ a2)
        return b2 @ b1 + (weight.reshape(weight.shape[0], -1) @ a2) @ a1

    def _matrix(self, weight: Tensor, name: str) -> Tensor:
        tensor = self.take(weight, name)
        return tensor.reshape(tensor.shape[0], -1)
