"""What becomes of one tensor of the first model when others are merged into it (generation.md §10.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Method = Literal["No interpolation", "Weighted sum", "Add difference"]
METHODS: tuple[Method, ...] = ("No interpolation", "Weighted sum", "Add difference")

MERGED = "model"
SKIPPED = frozenset(("cond_stage_model.transformer.text_model.embeddings.position_ids",))
"""Keys that look like weights and are none."""

NORMAL_CHANNELS = 4
SPECIAL_CHANNELS = {9: "inpainting", 8: "instruct-pix2pix"}
"""Input channels of a UNet's first convolution -> what the model is."""


class FormulaError(ValueError):
    """Why two tensors cannot be merged, as a clause."""


def takes_part(key: str) -> bool:
    """Whether a key of the first model is merged at all: others keep their value."""
    # A1111: the word is looked for anywhere, so the VAE and text encoder are merged and the noise schedule is not
    return MERGED in key and key not in SKIPPED


def weighted_sum(a: Tensor, b: Tensor, multiplier: float) -> Tensor:
    """(1 - M) A + M B, in the tensors' own precision."""
    return (1 - multiplier) * a + multiplier * b


def add_difference(a: Tensor, b: Tensor, c: Tensor | None, multiplier: float) -> Tensor:
    """A + M (B - C), in the tensors' own precision; without C its difference is nothing."""
    import torch

    difference = b - c if c is not None else torch.zeros_like(b)
    return a + difference * multiplier


def special_kind(a: tuple[int, ...], b: tuple[int, ...]) -> str | None:
    """What A is ("inpainting", "instruct-pix2pix") if these are the first convolutions of such a model and a normal one.

    None for equal shapes; raises FormulaError for shapes that do not go together.
    """
    if a == b:
        return None
    if len(a) != 4 or len(b) != 4 or (a[0], *a[2:]) != (b[0], *b[2:]):
        raise FormulaError(f"has shape {list(a)} in A and {list(b)} in B; only models of the same family can be merged")
    if a[1] == NORMAL_CHANNELS and b[1] in SPECIAL_CHANNELS:
        kind = SPECIAL_CHANNELS[b[1]]
        raise FormulaError(f"shows that B is an {kind} model and A a normal one: an {kind} model must be A")
    if b[1] != NORMAL_CHANNELS or a[1] not in SPECIAL_CHANNELS:
        raise FormulaError(f"has {a[1]} input channels in A and {b[1]} in B, which cannot be merged")
    return SPECIAL_CHANNELS[a[1]]


def merged(a: Tensor, b: Tensor, blend: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """A with B blended in; where A has more input channels, into the first four.

    8-bit floats are computed in float32 and stored as A is.
    """
    if a.dtype.itemsize == 1 and a.is_floating_point():
        return merged(a.float(), b.float(), blend).to(a.dtype)
    if a.shape == b.shape:
        return blend(a, b.float() if b.dtype.itemsize == 1 and b.is_floating_point() else b)
    result = a.clone()
    result[:, : b.shape[1]] = blend(a[:, : b.shape[1]], b)
    return result


def result_dtype(a: torch.dtype, others: list[torch.dtype], special: bool, method: Method) -> torch.dtype:
    """The dtype that merging tensors of these dtypes gives, found out on empty ones."""
    import torch

    if special or not others:
        return a
    empty = [torch.empty(0, dtype=dtype) for dtype in (a, *others)]

    def blend(first: Tensor, second: Tensor) -> Tensor:
        if method == "Weighted sum":
            return weighted_sum(first, second, 0.5)
        return add_difference(first, second, empty[2] if len(empty) > 2 else None, 0.5)

    return merged(empty[0], empty[1], blend).dtype
