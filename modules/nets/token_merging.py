"""Token merging: self-attention over fewer tokens, similar ones averaged (Bolya & Hoffman 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.attention import BasicTransformerBlock

STRIDE = 2
"""One token of each square of this side stays; the others look for the one of those that they resemble most."""


@dataclass(frozen=True)
class Merge:
    """Which tokens go into which: indices [B, n, 1] of those that vanish, stay by themselves, and take others in.

    `target` [B, r, 1] gives each vanishing token's place among the `kept` ones.
    """

    tokens: int
    vanishing: Tensor
    single: Tensor
    kept: Tensor
    target: Tensor

    @classmethod
    def by_similarity(cls, x: Tensor, size: tuple[int, int], ratio: float) -> Merge:
        """Choose among the tokens x [B, h*w, C] of a map of `size` (h, w).

        The int(ratio * h*w) tokens that resemble a kept one most vanish, at most all that are not kept.
        """
        batch, tokens = x.shape[:2]
        kept, others = _checkerboard(size, x.device)
        direction = functional.normalize(x, dim=-1)
        best, target = (direction[:, others] @ direction[:, kept].transpose(1, 2)).max(dim=-1)
        order = best.argsort(dim=-1, descending=True)
        count = min(int(tokens * ratio), len(others))
        vanishing, single = order[:, :count], order[:, count:]
        return cls(
            tokens,
            others[vanishing][..., None],
            others[single][..., None],
            kept.expand(batch, -1)[..., None],
            target.gather(1, vanishing)[..., None],
        )

    def apply(self, x: Tensor) -> Tensor:
        """[B, h*w, C] -> [B, h*w - r, C]: the single tokens, then the kept ones averaged with what went into them."""
        kept, vanishing = _take(x, self.kept), _take(x, self.vanishing)
        averaged = kept.scatter_reduce(1, self.target.expand_as(vanishing), vanishing, reduce="mean")
        return torch.cat([_take(x, self.single), averaged], dim=1)

    def undo(self, y: Tensor) -> Tensor:
        """[B, h*w - r, C] -> [B, h*w, C]: every vanished token gets what the one it went into has."""
        singles = self.single.shape[1]
        single, averaged = y[:, :singles], y[:, singles:]
        whole = y.new_empty(y.shape[0], self.tokens, y.shape[2])
        for index, values in ((self.kept, averaged), (self.single, single), (self.vanishing, _take(averaged, self.target))):
            whole.scatter_(1, index.expand_as(values), values)
        return whole


@contextmanager
def token_merging(unet: nn.Module, ratio: float) -> Iterator[None]:
    """While it is open, self-attention at the latent's own resolution works on about (1 - ratio) of the tokens.

    Hooks do it, so the network itself stays as it is; transformers that work on a coarser map are left alone, and so are
    networks without such blocks. `ratio` lies in 0..0.9; 0 does nothing.
    """
    if ratio <= 0:
        yield
        return
    merger = _Merger(float(ratio))
    handles = [unet.register_forward_pre_hook(merger.see_latent)]
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            handles += [
                block.register_forward_pre_hook(merger.plan),
                block.attn1.register_forward_pre_hook(merger.before),
                block.attn1.register_forward_hook(merger.after),
            ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Merger:
    """The hooks; they share the latent's size and the plan of the block that runs."""

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio
        self.size: tuple[int, int] = (0, 0)
        self.merge: Merge | None = None

    def see_latent(self, _: nn.Module, args: tuple[Any, ...]) -> None:
        height, width = args[0].shape[-2:]
        self.size = (height, width)

    def plan(self, _: nn.Module, args: tuple[Any, ...]) -> None:
        """Similarity is that of the block's input, before its norm."""
        x = args[0]
        finest = x.shape[1] == self.size[0] * self.size[1] and min(self.size) >= STRIDE
        self.merge = Merge.by_similarity(x, self.size, self.ratio) if finest else None

    def before(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        return None if self.merge is None else (self.merge.apply(args[0]), *args[1:])

    def after(self, _: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor:
        return output if self.merge is None else self.merge.undo(output)


def _checkerboard(size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Indices of the tokens that are kept, the top left one of each square, and of all others; squares cut off at the edge keep none."""
    height, width = size
    keeps = torch.zeros(height, width, dtype=torch.bool, device=device)
    keeps[: height // STRIDE * STRIDE : STRIDE, : width // STRIDE * STRIDE : STRIDE] = True
    flat = keeps.flatten()
    return flat.nonzero()[:, 0], (~flat).nonzero()[:, 0]


def _take(x: Tensor, index: Tensor) -> Tensor:
    return x.gather(1, index.expand(-1, -1, x.shape[2]))
