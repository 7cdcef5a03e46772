"""The values of a plot's axis as people type them (generation.md §10.2 of the reference)."""

from __future__ import annotations

import csv
import io
import re

import numpy as np

WHOLE = r"([+-]?\s*\d+)"
DECIMAL = r"([+-]?\s*\d+(?:\.\d*)?)"


def split_values(text: str) -> list[str]:
    """The entries of a comma separated line, which may be quoted; empty ones are dropped."""
    rows = csv.reader(io.StringIO(text), skipinitialspace=True)
    return [entry for row in rows for value in row if (entry := value.strip())]


def join_values(values: list[str]) -> str:
    """The line that `split_values` takes apart into these values."""
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue().strip()


def whole_numbers(entries: list[str]) -> list[int]:
    """Numbers and ranges: `1-4`, `1-9 (+2)`, `9-1 (-2)`, `1-10 [4]`. Raises ValueError for what is none of these."""
    return [number for entry in entries for number in _whole(entry)]


def _whole(entry: str) -> list[int]:
    if found := _matched(entry, WHOLE, r"([+-]\d+)"):
        start, end, step = (int(part.replace(" ", "")) for part in (found[0], found[1], found[2] or "1"))
        # A1111: the end is one beyond the last number downwards too, so 5-1 (-1) stops at 3
        return list(range(start, end + 1, step or 1))
    if found := _counted(entry, WHOLE):
        return [int(number) for number in np.linspace(float(found[0]), float(found[1]), int(found[2]))]
    return [int(entry)]


def decimal_numbers(entries: list[str]) -> list[float]:
    """Numbers and ranges: `1-3`, `1-3 (+0.5)`, `1-3 [5]`. Raises ValueError for what is none of these."""
    return [number for entry in entries for number in _decimal(entry)]


def _decimal(entry: str) -> list[float]:
    if found := _matched(entry, DECIMAL, r"([+-]\d+(?:\.\d*)?)"):
        start, end, step = (float(part.replace(" ", "")) for part in (found[0], found[1], found[2] or "1"))
        return [float(number) for number in np.arange(start, end + (step or 1), step or 1)]
    if found := _counted(entry, DECIMAL):
        return [float(number) for number in np.linspace(float(found[0]), float(found[1]), int(found[2]))]
    return [float(entry)]


def _matched(entry: str, number: str, step: str) -> tuple[str, str, str | None] | None:
    found = re.fullmatch(rf"\s*{number}\s*-\s*{number}(?:\s*\({step}\s*\))?\s*", entry)
    return (found[1], found[2], found[3]) if found else None


def _counted(entry: str, number: str) -> tuple[str, str, str] | None:
    found = re.fullmatch(rf"\s*{number}\s*-\s*{number}\s*\[(\d+)\s*\]\s*", entry)
    return (found[1].replace(" ", ""), found[2].replace(" ", ""), found[3]) if found else None
