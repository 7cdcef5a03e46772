"""Blends: the item `young:old:0.2` mixes two conditionings, here one fifth young and four fifths old.

A blend is a whole item between commas (or BREAKs, or the ends), outside every bracket: two texts and a number from 0 to 1.
It is taken apart before prompt editing: `expand_blends` gives texts without blends and their shares, and the conditioning
is the shares' sum of those texts' conditionings. A side may itself hold weights and editing, in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from modules.prompt.editing import schedule_at
from modules.prompt.errors import PromptError

if TYPE_CHECKING:
    from torch import Tensor

BlendMode = Literal["first", "second", "off"]
BLEND_MODES: dict[BlendMode, str] = {
    "first": "the number is the first text's share",
    "second": "the number is the second text's share",
    "off": "no blends: the item is ordinary text",
}
MAX_BLENDS = 4

_TOKEN = re.compile(r"\\.|\bBREAK\b|[()\[\]{},:]", re.DOTALL)
_SHARE = re.compile(r"0?\.[0-9]+|0\.?|1(?:\.0*)?")
_OPENING = dict(zip(")]}", "([{", strict=True))
T = TypeVar("T")


class Blend(NamedTuple):
    """A blend in a text: its place text[start:end] and both sides with their shares, which add up to 1."""

    start: int
    end: int
    sides: tuple[tuple[str, float], tuple[str, float]]


def find_blends(text: str, mode: BlendMode = "first") -> list[Blend]:
    """The blends of a text, in order; none with mode "off"."""
    if mode == "off" or ":" not in text:
        return []
    blends = (_read_item(text, start, end, colons, mode) for start, end, colons in _items(text))
    return [blend for blend in blends if blend]


def ends_with_blend(text: str, mode: BlendMode = "first") -> bool:
    """Whether the text's last item is a blend, so that its number is no guidance weight."""
    last = find_blends(text, mode)[-1:]
    return bool(last) and last[0].end == len(text.rstrip())


def expand_blends(text: str, mode: BlendMode = "first") -> list[tuple[str, float]]:
    """The texts to mix, without blends, each with its share; the shares add up to 1, and no text comes twice.

    One text of share 1 where there is no blend. Raises PromptError above MAX_BLENDS blends, which would be 32 texts.
    """
    blends = find_blends(text, mode)
    if len(blends) > MAX_BLENDS:
        item = text[blends[MAX_BLENDS].start : blends[MAX_BLENDS].end]
        raise PromptError(f"'{item}' is blend {MAX_BLENDS + 1} of {len(blends)}: a prompt may hold {MAX_BLENDS}", item)
    shares: dict[str, float] = {}
    for sides in product(*(blend.sides for blend in blends)):
        share = 1.0
        pieces, position = [], 0
        for blend, (side, side_share) in zip(blends, sides, strict=True):
            pieces += [text[position : blend.start], side]
            position, share = blend.end, share * side_share
        variant = "".join(pieces) + text[position:]
        shares[variant] = shares.get(variant, 0.0) + share
    return [(variant, share) for variant, share in shares.items() if share]


def merge_schedules(schedules: Sequence[Sequence[tuple[int, T]]]) -> list[tuple[int, tuple[T, ...]]]:
    """Several texts' schedules (all of the same last end) as one, of what each of them holds up to every end."""
    ends = sorted({end for schedule in schedules for end, _ in schedule})
    return [(end, tuple(schedule_at(schedule, end) for schedule in schedules)) for end in ends]


def mix(conditionings: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """The shares' sum of conditionings, [T, C] each or vectors [C]; summed in float32, returned in the first one's dtype.

    Shorter ones are extended by their last vector, as sub-prompts of AND are.
    """
    import torch

    if len(conditionings) == 1 and shares[0] == 1:
        return conditionings[0]
    length = max(conditioning.shape[0] for conditioning in conditionings)
    total = torch.zeros(())
    for conditioning, share in zip(conditionings, shares, strict=True):
        missing = length - conditioning.shape[0]
        if missing:
            conditioning = torch.cat([conditioning, conditioning[-1:].expand(missing, *conditioning.shape[1:])])
        total = total.to(conditioning.device) + conditioning.float() * share
    return total.to(conditionings[0].dtype)


def _items(text: str) -> Iterator[tuple[int, int, list[int]]]:
    """Start, end and colons of every item between commas and BREAKs; commas and colons inside brackets or escaped do not count."""
    depth = dict.fromkeys("([{", 0)
    start, colons = 0, list[int]()
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in depth:
            depth[token] += 1
        elif token in _OPENING:
            depth[_OPENING[token]] = max(0, depth[_OPENING[token]] - 1)
        elif token[0] == "\\" or any(depth.values()):
            continue
        elif token == ":":
            colons.append(match.start())
        else:
            yield start, match.start(), colons
            start, colons = match.end(), []
    yield start, len(text), colons


def _read_item(text: str, start: int, end: int, colons: list[int], mode: BlendMode) -> Blend | None:
    """The item text[start:end] as a blend of its two sides, if it is one; the blanks around it stay outside."""
    if len(colons) != 2:
        return None
    left, right, number = (text[a:b].strip() for a, b in zip((start, colons[0] + 1, colons[1] + 1), (*colons, end), strict=True))
    if not (left and right and _SHARE.fullmatch(number)):
        return None
    item = text[start:end]
    start, end = start + len(item) - len(item.lstrip()), start + len(item.rstrip())
    share = float(number) if mode == "first" else 1 - float(number)
    return Blend(start, end, ((left, share), (right, 1 - share)))
