"""A make-believe graphics card for tests of what is moved there and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modules.nets.offload import Place


class MakeBelieve(Place):
    """A "device" whose tensors are copies it knows; counts transfers and the largest number of elements at a time."""

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))
        self.here: dict[int, Tensor] = {}
        self.up = self.down = self.peak = 0

    def holds(self, tensor: Tensor) -> bool:
        return tensor.data_ptr() in self.here

    def upload(self, tensor: Tensor) -> Tensor:
        copy = tensor.clone()
        self.here[copy.data_ptr()] = copy
        self.up += 1
        return copy

    def download(self, tensor: Tensor) -> Tensor:
        self.down += 1
        return tensor.clone()


def elements_there(place: MakeBelieve, *nets: nn.Module) -> int:
    return sum(p.numel() for net in nets for p in net.parameters() if place.holds(p.data))
