"""LoRA (Hu et al. 2021), LoCon and DyLoRA: the product of a tall and a wide matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from modules.adapters.kinds.layer import Layer, Tensors


class LoRA(Layer):
    """`lora_up` [out, r] times `lora_down` [r, in]; convolutions have their kernel in `lora_down` or, apart, in `lora_mid` (CP form)."""

    required = (("lora_up.weight", "lora_down.weight"), ("lora_B.weight", "lora_A.weight"))

    def __init__(self, tensors: Tensors) -> None:
        super().__init__(tensors)
        names = self.required[0] if "lora_up.weight" in tensors else self.required[1]
        self.up, self.down = (tensors[name] for name in names)
        self.mid = tensors.get("lora_mid.weight")

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    def change(self, weight: Tensor, dyn: int | None) -> Tensor:
        up, down = self.factors(weight, dyn)
        if self.mid is not None:
            return torch.einsum("nmkl,in,mj->ijkl", self.like(weight, self.mid), up, down)
        return (up @ down).reshape(up.shape[0], *self.down.shape[1:])

    def factors(self, weight: Tensor, dyn: int | None) -> tuple[Tensor, Tensor]:
        """Both matrices; of a plain one only the first `dyn` ranks."""
        up = self.like(weight, self.up).reshape(self.up.shape[0], -1)
        down = self.like(weight, self.down).reshape(self.down.shape[0], -1)
        return (up, down) if dyn is None or self.mid is not None else (up[:, :dyn], down[:dyn])
