"""Emphasis modes: how token weights act on a text encoder's output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

EmphasisMode = Literal["None", "Ignore", "Original", "No norm"]
EMPHASIS_MODES: dict[EmphasisMode, str] = {
    "None": "brackets and weights are ordinary text",
    "Ignore": "brackets and weights are read and have no effect",
    "Original": "weights multiply the conditioning, whose mean is then restored",
    "No norm": "weights multiply the conditioning (better with SDXL)",
}


def emphasis_mode(name: str) -> EmphasisMode:
    """The mode of that name; anything unknown is "Original"."""
    return next((mode for mode in EMPHASIS_MODES if mode == name), "Original")


def parses_attention(mode: str) -> bool:
    """Whether brackets, weights, escapes and BREAK are read at all in this mode."""
    return mode != "None"


def apply_emphasis(z: Tensor, multipliers: Tensor | Sequence[Sequence[float]], mode: str) -> Tensor:
    """A text encoder's output z [B, T, C], weighted by multipliers [B, T].

    In mode "Original" the mean over the whole tensor is restored, so one text of the batch depends on the others.
    """
    import torch

    mode = emphasis_mode(mode)
    if mode in ("None", "Ignore"):
        return z
    weights = torch.as_tensor(multipliers, dtype=torch.float32, device=z.device)
    weighted = z * weights.unsqueeze(-1)
    if mode == "Original":
        weighted = weighted * (z.mean() / weighted.mean())
    return weighted.to(z.dtype)
