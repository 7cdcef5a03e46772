"""The model a sampler calls: conditionings of the step, as few UNet calls as fit, guidance (generation.md §4 of the reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules.diffusion.denoiser import make_denoiser
from modules.diffusion.guidance import CFGPP_SCALE, combine, skip_infotext, skip_uncond, with_stand_in_uncond
from modules.pipeline.model import CondBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from modules.diffusion.guidance import Parts
    from modules.diffusion.plan import SamplingPlan
    from modules.pipeline.conditions import BatchConditions
    from modules.pipeline.model import DiffusionModel
    from modules.settings.store import SettingsView


class GuidedModel:
    """Classifier-free guidance around one model for one pass of one batch.

    Called with x [B, C, h, w] and σ (or t) [B]; returns the guided denoised latent (or eps). `evaluation` counts the
    calls; `last_denoised` is the latest prediction for the prompt alone, shown as preview and kept on interrupt.
    """

    def __init__(
        self,
        model: DiffusionModel,
        plan: SamplingPlan,
        conditions: BatchConditions,
        settings: SettingsView,
        *,
        cfg_scale: float,
        s_min_uncond: float = 0.0,
        concat: Tensor | None = None,
        empty_prompt: Callable[[], Tensor],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.plan = plan
        self.conditions = conditions
        self.settings = settings
        self.cfg_scale = cfg_scale * (CFGPP_SCALE if plan.sampler.label == "DDIM CFG++" else 1.0)
        self.s_min_uncond = s_min_uncond
        self.concat = concat
        self.evaluation = 0
        self.infotext: dict[str, Any] = {}
        self.last_denoised: Tensor | None = None
        self.last_uncond: Tensor | None = None
        self._empty_prompt = empty_prompt
        self._check = check
        self._denoiser = make_denoiser(plan.sampler.family, model.apply, plan.schedule, model.prediction)

    def __call__(self, x: Tensor, level: Tensor, **_: Any) -> Tensor:
        self._check()
        cond, parts = self.conditions.positive_at(self.evaluation)
        uncond = self._negative(level)
        if uncond is not None:
            cond, uncond = self._padded(cond, uncond)
        outputs = self._evaluate(x, level, cond, parts, uncond)
        scale = self.cfg_scale
        if uncond is None:
            outputs, scale = with_stand_in_uncond(outputs, parts), 1.0
        self._remember(x, level, outputs, parts)
        self.evaluation += 1
        return combine(outputs, parts, scale)

    def _negative(self, level: Tensor) -> CondBatch | None:
        s = self.settings
        early, floor, every = float(s.skip_early_cond), self.s_min_uncond, bool(s.s_min_uncond_all)
        reason = skip_uncond(
            self.evaluation,
            self.plan.planned_evals,
            float(level[0]),
            skip_early_cond=early,
            s_min_uncond=floor,
            s_min_uncond_all=every,
        )
        self.infotext |= skip_infotext(reason, early, floor, every)
        return None if reason else self.conditions.negative_at(self.evaluation)

    def _padded(self, cond: CondBatch, uncond: CondBatch) -> tuple[CondBatch, CondBatch]:
        """Make both equally long where a setting asks for it; the infotext tells about the last evaluation."""
        for key in ("Pad conds", "Pad conds v0"):
            self.infotext.pop(key, None)
        missing = cond.tokens - uncond.tokens
        if missing == 0:
            return cond, uncond
        if self.settings.pad_cond_uncond_v0:
            self.infotext["Pad conds v0"] = True
            return cond, uncond.resized(cond.tokens)
        if self.settings.pad_cond_uncond:
            self.infotext["Pad conds"] = True
            filler = self._empty_prompt()
            if missing > 0:
                return cond, uncond.extended(filler, missing // len(filler))
            return cond.extended(filler, -missing // len(filler)), uncond
        return cond, uncond

    def _evaluate(self, x: Tensor, level: Tensor, cond: CondBatch, parts: Parts, uncond: CondBatch | None) -> Tensor:
        """Outputs of all conditional rows, then of the unconditional ones."""
        image_of_row = [image for image, sub_prompts in enumerate(parts) for _ in sub_prompts]
        batched = bool(self.settings.batch_cond_uncond)
        if uncond is not None and uncond.tokens == cond.tokens:
            rows = [*image_of_row, *range(len(parts))]
            return self._in_calls(x, level, cond + uncond, rows, len(rows) if batched else len(x))
        at_once = len(image_of_row) if uncond is None else len(x) * (2 if batched else 1)
        outputs = self._in_calls(x, level, cond, image_of_row, at_once)
        if uncond is None:
            return outputs
        return torch.cat([outputs, self._in_calls(x, level, uncond, list(range(len(parts))), len(parts))])

    def _in_calls(self, x: Tensor, level: Tensor, cond: CondBatch, rows: list[int], at_once: int) -> Tensor:
        """Evaluate rows (each the image it belongs to), at most `at_once` in one call."""
        outputs = []
        for start in range(0, len(rows), at_once):
            part = slice(start, start + at_once)
            images = rows[part]
            concat = self.concat.expand(len(images), -1, -1, -1) if self.concat is not None else None
            outputs.append(self._denoiser(x[images], level[images], cond=cond[part], concat=concat))
        return torch.cat(outputs)

    def _remember(self, x: Tensor, level: Tensor, outputs: Tensor, parts: Parts) -> None:
        prompt_only = torch.stack([outputs[sub_prompts[0][0]] for sub_prompts in parts])
        self.last_uncond = outputs[-len(parts) :]
        if self.plan.sampler.family != "timestep":
            self.last_denoised = prompt_only
            return
        alpha = self.plan.schedule.alphas_cumprod.to(x.device)[level.long()].reshape(-1, 1, 1, 1)
        self.last_denoised = (x - (1 - alpha).sqrt() * prompt_only) / alpha.sqrt()
