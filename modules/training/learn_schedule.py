"""Learning rates that change at given steps: `0.005:100, 1e-3:1000, 1e-5` (generation.md §10.10 of the reference)."""

from __future__ import annotations

HOW = "give one number, or rates with the step up to which they hold, as 0.005:100, 1e-3:1000, 1e-5"


class BadLearnSchedule(ValueError):
    """A learning rate that cannot be read, or that ends before the training goes on."""


def parse_learn_schedule(text: str, max_steps: int, current_step: int = 0) -> list[tuple[float, int]]:
    """(rate, last step) pairs from `current_step` on; none goes beyond `max_steps`.

    `rate:step` holds until the step, `rate:-1` and a bare rate until the end; entries that lie behind are left out.
    Raises BadLearnSchedule.
    """
    rates: list[tuple[float, int]] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        rate, until = _entry(entry, text)
        if until is None or until == -1 or until >= max_steps:
            return [*rates, (rate, max_steps)]
        if until > current_step:
            rates.append((rate, until))
    if not rates:
        raise BadLearnSchedule(f"learning rate '{text}': nothing is left for step {current_step}; {HOW}")
    return rates


def _entry(entry: str, text: str) -> tuple[float, int | None]:
    rate, colon, until = entry.partition(":")
    try:
        return float(rate), int(until) if colon else None
    except ValueError:
        raise BadLearnSchedule(f"learning rate '{text}': '{entry}' cannot be read; {HOW}") from None
