"""`AND`: one prompt as several sub-prompts, each with a guidance weight."""

from __future__ import annotations

import re
from collections.abc import Sequence

from modules.prompt.blend import BlendMode, ends_with_blend

_AND = re.compile(r"\bAND\b")
_WEIGHT = re.compile(r"[-+]?(?:\d+\.?|\d*\.\d+)")


def split_weight(text: str, blend: BlendMode = "off") -> tuple[str, float | None]:
    """Text and guidance weight of one sub-prompt: `a cat :1.2` is (`a cat`, 1.2); weight None where none is written.

    Where blends are on, the number of a blend at the end is no weight: `a:b:0.5` has none, `a:b:0.5:1.2` has 1.2.
    """
    head, colon, tail = text.rpartition(":")
    if colon and _WEIGHT.fullmatch(tail.strip()) and not ends_with_blend(text, blend):
        return head.rstrip(), float(tail)
    return text.rstrip(), None


def split_prompt(prompt: str, blend: BlendMode = "off") -> list[tuple[str, float]]:
    """The sub-prompts of one prompt with their weights, 1 by default."""
    # A1111: a trailing weight is honoured without any AND: `cat:1.5` is `cat` with weight 1.5.
    parts = (split_weight(part, blend) for part in _AND.split(prompt))
    return [(text, 1.0 if weight is None else weight) for text, weight in parts]


def get_multicond_prompt_list(
    prompts: Sequence[str], blend: BlendMode = "off"
) -> tuple[list[list[tuple[int, float]]], list[str], dict[str, int]]:
    """Per prompt its (index, weight) pairs, the list of distinct sub-prompts they point into, and each one's index in it."""
    indexes: dict[str, int] = {}
    composed = [
        [(indexes.setdefault(text, len(indexes)), weight) for text, weight in split_prompt(prompt, blend)] for prompt in prompts
    ]
    return composed, list(indexes), indexes
