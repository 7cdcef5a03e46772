"""Attention: `(more)`, `[less]`, `(by number:1.3)`, escapes and BREAK."""

from __future__ import annotations

import math
import re
from itertools import accumulate, groupby
from operator import itemgetter

from modules.prompt.errors import PromptError

MORE = 1.1
LESS = 1 / 1.1
BREAK: tuple[str, float] = ("BREAK", -1.0)

_TOKEN = re.compile(r"\\[()\[\]\\]|:\s*([+-]?[.\d]+)\s*\)|[\\()\[\]:]|[^\\()\[\]:]+")
_BREAK = re.compile(r"\bBREAK\b")
_EXACT_PRODUCTS = 10_000_000

Scaling = tuple[int, int, float]  # segments first..end-1 are multiplied


def attention_segments(text: str) -> list[tuple[str, float]]:
    """The prompt as (text, weight) segments, neighbours of equal weight joined; a BREAK is the segment `BREAK`.

    An empty prompt is one empty segment. Raises PromptError for a weight that is no number, as in `(a:1.2.3)`.
    """
    segments, scalings = _scan(text)
    weights = _weights([weight for _, weight in segments], scalings)
    runs = groupby(zip((piece for piece, _ in segments), weights, strict=True), key=itemgetter(1))
    return [("".join(piece for piece, _ in run), weight) for weight, run in runs] or [("", 1.0)]


def parse_prompt_attention(text: str) -> list[list[str | float]]:
    """`attention_segments` in A1111's shape, lists of [text, weight]."""
    return [list(segment) for segment in attention_segments(text)]


def _scan(text: str) -> tuple[list[tuple[str, float]], list[Scaling]]:
    """The segments with their own weights, and the brackets' multiplications in the order in which the brackets close."""
    segments: list[tuple[str, float]] = []
    scalings: list[Scaling] = []
    rounds: list[int] = []
    squares: list[int] = []
    for match in _TOKEN.finditer(text):
        token, number = match[0], match[1]
        if token == "(":
            rounds.append(len(segments))
        elif token == "[":
            squares.append(len(segments))
        elif number is not None and rounds:
            scalings.append((rounds.pop(), len(segments), _number(number, token)))
        elif token == ")" and rounds:
            scalings.append((rounds.pop(), len(segments), MORE))
        elif token == "]" and squares:
            scalings.append((squares.pop(), len(segments), LESS))
        elif token[0] == "\\":
            segments.append((token[1:], 1.0))
        else:
            segments.extend(_plain(token))
    # A1111: brackets never closed reach to the end, the round ones first.
    scalings += [(start, len(segments), MORE) for start in rounds]
    scalings += [(start, len(segments), LESS) for start in squares]
    return segments, scalings


def _number(number: str, token: str) -> float:
    try:
        return float(number)
    except ValueError:
        raise PromptError(f"'{number}' in '{token}' is not a weight: write one number, as in (word:1.2)", token) from None


def _plain(text: str) -> list[tuple[str, float]]:
    """Plain text cut at every BREAK, whose surrounding blanks are swallowed."""
    parts = _BREAK.split(text)
    result = [(parts[0], 1.0)]
    for part in parts[1:]:
        result[-1] = (result[-1][0].rstrip(), 1.0)
        result += [BREAK, (part.lstrip(), 1.0)]
    return result


def _weights(own: list[float], scalings: list[Scaling]) -> list[float]:
    """The segments' weights, multiplied in the order of `scalings`, so that the last bit is right.

    Brackets deep and wide enough to need more than ten million products get them in another order, rounded otherwise.
    """
    scalings = [scaling for scaling in scalings if scaling[0] < scaling[1]]
    if sum(end - start for start, end, _ in scalings) > _EXACT_PRODUCTS:
        return _weights_at_once(own, scalings)
    for start, end, factor in scalings:
        own[start:end] = [weight * factor for weight in own[start:end]]
    return own


def _weights_at_once(own: list[float], scalings: list[Scaling]) -> list[float]:
    """Weights by running sums of logarithms, signs and zeros: linear, right to about 12 digits, never above float32's range."""
    size = len(own) + 1
    logs, signs, zeros = [0.0] * size, [0] * size, [0] * size
    for start, end, factor in scalings:
        log = math.log(abs(factor)) if factor else 0.0
        for at, step in ((start, 1), (end, -1)):
            logs[at] += step * log
            signs[at] += step * (factor < 0)
            zeros[at] += step * (factor == 0)
    running = zip(own, accumulate(logs), accumulate(signs), accumulate(zeros), strict=False)
    return [0.0 if zero else weight * (-1.0) ** sign * math.exp(min(log, 88.0)) for weight, log, sign, zero in running]
