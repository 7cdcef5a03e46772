"""OFT (Qiu et al. 2023) and BOFT (Liu et al. 2023): the rows of a weight are rotated, block by block."""

from __future__ import annotations

import torch
from torch import Tensor

from modules.adapters.errors import LayerMismatch
from modules.adapters.kinds.layer import Layer

EPSILON = 1e-8


class OFT(Layer):
    """`oft_blocks` [blocks, b, b] (BOFT: [m, blocks, b, b]) make rotations by Cayley's formula; `oft_diag` holds them as they are.

    `alpha` bounds the rotation; `rescale` multiplies the rotated weight.
    """

    required = (("oft_blocks",), ("oft_diag",))

    def factor(self) -> float:
        return 1.0 if self.scale is None else self.scale

    def change(self, weight: Tensor, dyn: int | None) -> Tensor:
        rotations = self._rotations(weight)
        if rotations.ndim not in (3, 4) or rotations.shape[-1] * rotations.shape[-3] != weight.shape[0]:
            raise LayerMismatch(f"rotations {list(rotations.shape)} do not fit a weight of {weight.shape[0]} rows")
        rotated = rotated_rows(weight, rotations) if rotations.ndim == 3 else butterfly(weight, rotations)
        if "rescale" in self.tensors:
            rescale = self.take(weight, "rescale")
            rotated = rotated * rescale.reshape(-1, *[1] * (weight.ndim - 1))
        return rotated - weight

    def _rotations(self, weight: Tensor) -> Tensor:
        if "oft_diag" in self.tensors:
            return self.take(weight, "oft_diag")
        blocks = self.take(weight, "oft_blocks")
        skew = blocks - blocks.transpose(-1, -2)
        bound = (self.alpha or 0.0) * weight.shape[0]
        if bound:
            norm = skew.norm() + EPSILON
            skew = skew * ((skew.norm().clamp(max=bound) + EPSILON) / norm)
        one = torch.eye(skew.shape[-1], device=skew.device, dtype=skew.dtype)
        return (one + skew) @ torch.linalg.inv((one - skew).float()).to(skew.dtype)


def rotated_rows(weight: Tensor, rotations: Tensor) -> Tensor:
    """Consecutive groups of rows of weight [out, ...], each multiplied by the transpose of its rotation [groups, b, b]."""
    groups = weight.reshape(rotations.shape[0], rotations.shape[1], -1)
    return (rotations.transpose(1, 2) @ groups).reshape(weight.shape)


def butterfly(weight: Tensor, rotations: Tensor) -> Tensor:
    """Rows of weight [out, ...] rotated in m rounds [m, groups, b, b]; before each the rows are shuffled so that groups mix."""
    rows = weight.reshape(weight.shape[0], -1)
    width = rotations.shape[-1]
    for level, rotation in enumerate(rotations):
        distance = 2**level * width // 2
        shuffled = rows.reshape(-1, 2, distance, rows.shape[1]).transpose(1, 2)
        turned = rotation @ shuffled.reshape(len(rotation), width, -1)
        rows = turned.reshape(-1, distance, 2, rows.shape[1]).transpose(1, 2).reshape(rows.shape)
    return rows.reshape(weight.shape)
