"""Classifier-free guidance: how the outputs for prompts and negative prompt become one, and when the negative is left out.

Sources: Ho & Salimans 2022; Liu et al. 2022 (composable diffusion, AND); Brooks et al. 2023 (InstructPix2Pix).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

CFGPP_SCALE = 1.0 / 12.5
"""DDIM CFG++ multiplies the CFG scale by this, so that the slider keeps its usual range."""

Parts = Sequence[Sequence[tuple[int, float]]]
"""Per image its sub-prompts: (row in the batch, AND weight)."""

SkipReason = Literal["early", "ngms"]


def combine(outputs: Tensor, parts: Parts, cfg_scale: float) -> Tensor:
    """D = U + Σ_j (C_j − U)·(w_j·s).

    outputs: [rows, C, h, w], the conditional rows first, then one unconditional row per image. Returns [B, C, h, w].
    """
    uncond = outputs[-len(parts) :]
    result = uncond.clone()
    for image, sub_prompts in enumerate(parts):
        for row, weight in sub_prompts:
            result[image] += (outputs[row] - uncond[image]) * (weight * cfg_scale)
    return result


def with_stand_in_uncond(outputs: Tensor, parts: Parts) -> Tensor:
    """Rows of an evaluation without negative prompt, completed by each image's first sub-prompt in its place."""
    return torch.cat([outputs, torch.stack([outputs[sub_prompts[0][0]] for sub_prompts in parts])])


def combine_edit(outputs: Tensor, cfg_scale: float, image_cfg_scale: float) -> Tensor:
    """D = U + s·(C − I) + s_i·(I − U) of an instruct-pix2pix model.

    outputs: [3B, C, h, w]: rows (prompt, image), (negative, image), (negative, zeros).
    """
    cond, image, uncond = outputs.chunk(3)
    return uncond + cfg_scale * (cond - image) + image_cfg_scale * (image - uncond)


def skip_uncond(
    step: int,
    planned_evals: int,
    sigma: float,
    *,
    skip_early_cond: float = 0.0,
    s_min_uncond: float = 0.0,
    s_min_uncond_all: bool = False,
    is_edit_model: bool = False,
) -> SkipReason | None:
    """Why the negative prompt is left out of evaluation `step` (from 0), or None when it is not.

    sigma: of the first image (the timestep in the timestep family). "early": Ignore negative prompt during early sampling;
    "ngms": Negative Guidance minimum sigma. The result is then `combine(with_stand_in_uncond(...), parts, 1.0)`.
    """
    if skip_early_cond != 0 and step / planned_evals <= skip_early_cond:
        return "early"
    if (step % 2 or s_min_uncond_all) and s_min_uncond > 0 and sigma < s_min_uncond and not is_edit_model:
        return "ngms"
    return None


def skip_infotext(reason: SkipReason | None, skip_early_cond: float, s_min_uncond: float, s_min_uncond_all: bool) -> dict[str, Any]:
    """The infotext keys that a skipped negative prompt causes."""
    if reason == "early":
        return {"Skip Early CFG": skip_early_cond}
    if reason == "ngms":
        return {"NGMS": s_min_uncond, **({"NGMS all steps": s_min_uncond_all} if s_min_uncond_all else {})}
    return {}
