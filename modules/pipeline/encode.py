"""The conditionings of one pass of the current batch, encoded once for batches with equal prompts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modules.pipeline.conditions import BatchConditions, ConditionBuilder
from modules.pipeline.inversions import TI_HASHES, Inversions
from modules.pipeline.text import SizeConditioning, TextConditioner

if TYPE_CHECKING:
    from torch import Tensor

    from modules.pipeline.run import Run


@dataclass(frozen=True)
class PassTexts:
    """What one pass is conditioned on: texts without network tags, and the sizes SDXL is told.

    `evaluations` of the first pass; `hires_evaluations` of the second where this is the second.
    """

    prompts: tuple[str, ...]
    negatives: tuple[str, ...]
    width: int
    height: int
    evaluations: int
    hires_evaluations: int | None = None


def encode_pass(run: Run, texts: PassTexts) -> BatchConditions:
    """Conditionings of a pass; the infotext keys they cause are kept with the job."""
    networks = run.p.hr_extra_network_data if run.p.is_hr_pass else run.p.extra_network_data  # type: ignore[attr-defined]
    key = (texts, id(run.model), repr(networks))
    if key not in run.conditions:
        run.conditions = dict([*run.conditions.items()][-1:])
        conditions, infotext = run.recovery.run("text encoder", run.model, lambda: _encode(run, texts))
        run.keep(infotext)
        # A1111: texts are told about when they are encoded; those known from an earlier batch add nothing
        infotext.pop(TI_HASHES, None)
        run.conditions[key] = conditions, infotext
    conditions, infotext = run.conditions[key]
    run.keep(infotext)
    return conditions


def empty_prompt(run: Run) -> Tensor:
    """The conditioning [T, D] of no text."""
    text = TextConditioner(run.model, run.settings)
    return text.encode([""], SizeConditioning(run.p.width, run.p.height))[0].crossattn


def _encode(run: Run, texts: PassTexts) -> tuple[BatchConditions, dict[str, Any]]:
    settings, inversions = run.settings, Inversions(run.runtime.networks, run.model, run.settings)
    text = TextConditioner(run.model, settings, inversions)

    def encode(negative: bool) -> Callable[[list[str]], Any]:
        size = SizeConditioning.of(settings, texts.width, texts.height, negative=negative)
        return lambda lines: text.encode(lines, size, negative=negative)

    builder = ConditionBuilder(
        evaluations=texts.evaluations,
        hires_evaluations=texts.hires_evaluations,
        use_old_scheduling=bool(settings.use_old_scheduling),
        blend_mode=settings.prompt_blend,
    )
    conditions = builder.build(texts.prompts, texts.negatives, encode(False), encode(True))
    for remark in text.remarks:
        run.p.comment(remark)
    infotext: dict[str, Any] = {**builder.infotext, **inversions.infotext(run.p.extra_generation_params.get(TI_HASHES))}
    if settings.emphasis != "Original" and any(mark in line for line in (*texts.prompts, *texts.negatives) for mark in "(["):
        infotext["Emphasis"] = settings.emphasis
    return conditions, infotext
