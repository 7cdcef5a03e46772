"""What a text tower returns, and the pieces that both layouts of CLIP share."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from modules.nets.configs import Activation

EmbeddingEdit = Callable[[Tensor], Tensor]
"""Edits the token embeddings [B, T, width] before positions are added: the place of textual inversion."""


@dataclass(frozen=True)
class TextStates:
    """States of a text tower: `hidden` has layers+1 tensors [B, T, width], the first being the embeddings and none normalised; `last` is
    the last one behind the final norm. Clip skip k takes hidden[-k]."""

    hidden: list[Tensor]
    last: Tensor


def activation(name: Activation) -> Callable[[Tensor], Tensor]:
    """The feed-forward activation of that name: the exact GELU, or the sigmoid approximation that OpenAI's CLIP was trained with."""
    return functional.gelu if name == "gelu" else quick_gelu


def quick_gelu(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x) (Hendrycks and Gimpel 2016, section 2)."""
    return x * torch.sigmoid(1.702 * x)


def at_first_end(ids: Tensor, states: Tensor) -> Tensor:
    """Rows of states [B, T, width] at the first end token of ids [B, T]: [B, width]; the end token has the highest id."""
    return states[torch.arange(len(ids), device=states.device), ids.to(states.device).argmax(dim=-1)]
