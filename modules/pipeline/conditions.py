"""The conditionings of a batch over its steps: which text counts at which evaluation, encoded once each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modules.pipeline.model import Cond, CondBatch
from modules.prompt.editing import Schedule, schedule_at

Encode = Callable[[list[str]], list[Cond]]
"""Conditionings of texts that are encoded together."""


@dataclass(frozen=True)
class ScheduledCond:
    """A conditioning that counts up to and including evaluation `end`."""

    end: int
    cond: Cond


@dataclass(frozen=True)
class Part:
    """One sub-prompt of an `AND`: its conditionings over the steps and its guidance weight."""

    schedule: tuple[ScheduledCond, ...]
    weight: float = 1.0

    def at(self, evaluation: int) -> Cond:
        return schedule_at(self.schedule, evaluation).cond


@dataclass(frozen=True)
class BatchConditions:
    """Per picture: the positive sub-prompts and the one negative prompt."""

    positive: tuple[tuple[Part, ...], ...]
    negative: tuple[Part, ...]

    def positive_at(self, evaluation: int) -> tuple[CondBatch, list[list[tuple[int, float]]]]:
        """Rows of all sub-prompts, picture by picture, and for each picture its (row, weight) pairs."""
        conds: list[Cond] = []
        rows: list[list[tuple[int, float]]] = []
        for parts in self.positive:
            rows.append([(len(conds) + i, part.weight) for i, part in enumerate(parts)])
            conds.extend(part.at(evaluation) for part in parts)
        return CondBatch.of(conds), rows

    def negative_at(self, evaluation: int) -> CondBatch:
        """One row for each picture."""
        return CondBatch.of([part.at(evaluation) for part in self.negative])
