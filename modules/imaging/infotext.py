"""Infotext: the text inside a picture that says how it was made (layout of generation.md §8.1, §8.3 rules 1-4)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NEGATIVE_MARKER = "Negative prompt:"
PAIRS_NEEDED = 3
"""The last line holds parameters only if it has this many pairs; otherwise it is part of the prompt."""

_PAIR = re.compile(r'\s*(?P<key>\w[\w \-/]+):\s*(?P<value>"(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"(\d+)x(\d+)")


@dataclass
class Infotext:
    """The parts of an infotext; `fields` keeps the order of the text, its values are texts."""

    prompt: str = ""
    negative_prompt: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


def quote(value: object) -> str:
    """A value as it stands in the parameter line: a JSON text where it has a comma, colon or newline."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",:\n") else text


def unquote(text: str) -> str:
    """The value behind `quote`; what is not a JSON text stays as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def format_infotext(prompt: str, negative_prompt: str, fields: Mapping[str, Any]) -> str:
    """The infotext of one picture; fields whose value is None are left out, the others stand in the order given."""
    pairs = (key if key == value else f"{key}: {quote(value)}" for key, value in fields.items() if value is not None)
    negative = f"\n{NEGATIVE_MARKER} {negative_prompt}" if negative_prompt else ""
    return f"{prompt}{negative}\n{', '.join(pairs)}".strip()


def parse_infotext(text: str) -> Infotext:
    """Split an infotext into its parts; never fails, as any text is at least a prompt.

    A size such as `Size: 64x128` becomes two fields, `Size-1` and `Size-2`.
    """
    *lines, last = text.strip().split("\n")
    pairs = _PAIR.findall(last)
    if len(pairs) < PAIRS_NEEDED:
        lines, pairs = [*lines, last], []
    prompt, negative = _split_prompts([line.strip() for line in lines])
    return Infotext(prompt, negative, _fields(pairs))


def _split_prompts(lines: list[str]) -> tuple[str, str]:
    first = next((i for i, line in enumerate(lines) if line.startswith(NEGATIVE_MARKER)), len(lines))
    negative = [line.removeprefix(NEGATIVE_MARKER).strip() for line in lines[first:]]
    return _joined(lines[:first]), _joined(negative)


def _joined(lines: list[str]) -> str:
    """Lines as one text without the empty ones before the first that says something."""
    while lines and not lines[0]:
        lines = lines[1:]
    return "\n".join(lines)


def _fields(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, raw in pairs:
        value = unquote(raw)
        if not value:
            continue
        if size := _SIZE.fullmatch(value):
            fields[f"{key}-1"], fields[f"{key}-2"] = size.groups()
        else:
            fields[key] = value
    return fields
