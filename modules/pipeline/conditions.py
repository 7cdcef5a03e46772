"""The conditionings of a batch over its steps: which text counts at which evaluation, encoded once each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from modules.pipeline.model import Cond, CondBatch
from modules.prompt.blend import BlendMode, expand_blends, merge_schedules, mix
from modules.prompt.composition import split_prompt
from modules.prompt.editing import prompt_schedule, schedule_at

Encode = Callable[[list[str]], list[Cond]]
"""Conditionings of texts that are encoded together."""
CondSchedule = list[tuple[int, Cond]]
"""(last evaluation, conditioning), ends ascending."""


@dataclass(frozen=True)
class Part:
    """One sub-prompt of an `AND`: its conditionings over the steps and its guidance weight."""

    schedule: CondSchedule
    weight: float = 1.0

    def at(self, evaluation: int) -> Cond:
        """The conditioning of evaluation 0, 1, …"""
        return schedule_at(self.schedule, evaluation)


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


@dataclass
class ConditionBuilder:
    """Turns prompts into `BatchConditions`: AND parts, blends, editing over the steps; each distinct text is encoded once.

    `evaluations` is the number of model evaluations planned for the first pass, `hires_evaluations` that of the second
    where it is the one to condition. After `build`, `infotext` holds the keys that the prompts caused.
    """

    evaluations: int
    hires_evaluations: int | None = None
    use_old_scheduling: bool = False
    blend_mode: BlendMode = "first"
    infotext: dict[str, bool] = field(default_factory=dict)

    def build(self, prompts: Sequence[str], negatives: Sequence[str], encode: Encode, encode_negative: Encode) -> BatchConditions:
        """Conditionings of a batch; `prompts` and `negatives` have an entry for every picture."""
        positive: dict[str, CondSchedule] = {}
        negative: dict[str, CondSchedule] = {}
        # A1111: the negative texts are encoded first, which an infotext's list of textual inversions shows
        negative_parts = tuple(Part(self._schedule(text, negative, encode_negative)) for text in negatives)
        parts = tuple(
            tuple(Part(self._schedule(text, positive, encode), weight) for text, weight in split_prompt(p, self.blend_mode))
            for p in prompts
        )
        return BatchConditions(parts, negative_parts)

    def _schedule(self, text: str, known: dict[str, CondSchedule], encode: Encode) -> CondSchedule:
        """The conditionings of one sub-prompt over the steps; a blend's are mixtures of its sides'."""
        if text not in known:
            blend = expand_blends(text, self.blend_mode)
            merged = merge_schedules([self._encoded(side, encode) for side, _ in blend])
            shares = [share for _, share in blend]
            known[text] = [(end, _mixed(conds, shares)) for end, conds in merged]
        return known[text]

    def _encoded(self, text: str, encode: Encode) -> CondSchedule:
        """The conditionings of a text's variants over the steps, encoded as one batch."""
        schedule = prompt_schedule(text, self.evaluations, self.hires_evaluations, self.use_old_scheduling)
        if self.use_old_scheduling and schedule != prompt_schedule(text, self.evaluations, self.hires_evaluations):
            self.infotext["Old prompt editing timelines"] = True
        conds = encode([variant for _, variant in schedule])
        return [(end, cond) for (end, _), cond in zip(schedule, conds, strict=True)]


def _mixed(conds: Sequence[Cond], shares: Sequence[float]) -> Cond:
    if len(conds) == 1:
        return conds[0]
    vectors = [cond.vector for cond in conds if cond.vector is not None]
    return Cond(mix([cond.crossattn for cond in conds], shares), mix(vectors, shares) if vectors else None)
