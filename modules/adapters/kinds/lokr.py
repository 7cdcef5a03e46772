"""LoKr (Yeh et al. 2023, LyCORIS): a Kronecker product."""

from __future__ import annotations

import torch
from torch import Tensor

from modules.adapters.kinds.layer import Layer, core_product


class LoKr(Layer):
    """w1 ⊗ w2, each stored whole or as a product; w2 of a convolution also with a core `lokr_t2`."""

    required = tuple((*first, *second) for first in (("lokr_w1",), ("lokr_w1_a", "lokr_w1_b"))
                     for second in (("lokr_w2",), ("lokr_w2_a", "lokr_w2_b")))  # fmt: skip

    @property
    def rank(self) -> int | None:
        for name in ("lokr_w2_b", "lokr_w1_b"):
            if name in self.tensors:
                return self.tensors[name].shape[0]
        return None

    def multiplied(self) -> tuple[str, ...]:
        return tuple(name for name in self.tensors if name.startswith("lokr_w") and name.endswith(("_a", "_b")))

    def change(self, weight: Tensor, dyn: int | None) -> Tensor:
        first, second = self._factor(weight, "1"), self._factor(weight, "2")
        if second.ndim == 4:
            first = first[:, :, None, None]
        return torch.kron(first, second.contiguous())

    def _factor(self, weight: Tensor, number: str) -> Tensor:
        if f"lokr_w{number}" in self.tensors:
            return self.take(weight, f"lokr_w{number}")
        a, b = self.take(weight, f"lokr_w{number}_a"), self.take(weight, f"lokr_w{number}_b")
        if f"lokr_t{number}" in self.tensors:
            return core_product(self.take(weight, f"lokr_t{number}"), a, b)
        return a @ b
