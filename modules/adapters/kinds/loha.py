"""LoHa (Hyeon-Woo et al. 2021, FedPara): the element-wise product of two low-rank matrices."""

from __future__ import annotations

from torch import Tensor

from modules.adapters.kinds.layer import Layer, core_product


class LoHa(Layer):
    """(w1_a·w1_b) ⊙ (w2_a·w2_b); with cores `hada_t1` and `hada_t2` each factor is rebuilt from its core."""

    required = (("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),)

    @property
    def rank(self) -> int:
        return self.tensors["hada_w1_b"].shape[0]

    def multiplied(self) -> tuple[str, ...]:
        return self.required[0]

    def change(self, weight: Tensor, dyn: int | None) -> Tensor:
        return self._factor(weight, "1") * self._factor(weight, "2")

    def _factor(self, weight: Tensor, number: str) -> Tensor:
        a, b = self.take(weight, f"hada_w{number}_a"), self.take(weight, f"hada_w{number}_b")
        if f"hada_t{number}" in self.tensors:
            return core_product(self.take(weight, f"hada_t{number}"), a, b)
        return a.reshape(a.shape[0], -1) @ b.reshape(b.shape[0], -1)
