"""The model a sampler calls: conditionings of the step, as few UNet calls as fit, guidance (generation.md §4 of the reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules.diffusion.denoiser import make_denoiser
from modules.diffusion.guidance import CFGPP_SCALE, combine, combine_edit, skip_infotext, skip_uncond, with_stand_in_uncond
from modules.pipeline.encode import PassTexts, empty_prompt, encode_pass
from modules.pipeline.listeners import AfterCFG, Denoised, Denoiser
from modules.pipeline.masking import blend_mask
from modules.pipeline.model import CondBatch, ImageCond
from modules.pipeline.refiner import RefinerSwitch

if TYPE_CHECKING:
    from modules.diffusion.guidance import Parts
    from modules.diffusion.plan import SamplingPlan
    from modules.pipeline.run import Run


class GuidedModel:
    """Classifier-free guidance around the job's model for one pass of one batch.

    Called with x [B, C, h, w] and σ (or t) [B]; returns the guided denoised latent (or eps). `step` counts the
    evaluations; `last_denoised` is the latest prediction for the prompt alone, shown as preview and kept on interrupt.
    """

    def __init__(self, run: Run, plan: SamplingPlan, texts: PassTexts, image: ImageCond, key: str = "pass") -> None:
        self.run, self.plan, self.texts, self.image = run, plan, texts, image
        self.key = key
        self.settings, self.p = run.settings, run.p
        self.conditions = encode_pass(run, texts)
        self.cfg_scale = run.p.cfg_scale * (CFGPP_SCALE if plan.sampler.label == "DDIM CFG++" else 1.0)
        self.s_min_uncond = float(run.settings.s_min_uncond if run.p.s_min_uncond is None else run.p.s_min_uncond)
        self.step = 0
        self.callback_step = 0
        self.last_denoised: Tensor | None = None
        self.last_uncond: Tensor | None = None
        self.preview: Tensor | None = None
        self._refiner = RefinerSwitch(run, plan)
        self._wrap()

    @property
    def total_steps(self) -> int:
        """Evaluations planned for the pass, as A1111 names them."""
        return self.plan.planned_evals

    def _wrap(self) -> None:
        model = self.run.model
        self._denoiser = make_denoiser(self.plan.sampler.family, model.apply, self.plan.schedule, model.prediction)
        self.image_cfg_scale = getattr(self.p, "image_cfg_scale", None) if model.is_edit else None
        self.is_edit = self.image_cfg_scale is not None and self.image_cfg_scale != 1.0

    def __call__(self, x: Tensor, level: Tensor, **_: Any) -> Tensor:
        self.run.check(self.key, self.step)
        if (refiner := self._refiner.model_at(self.step, level)) is not None:
            self._take_over(refiner)
        before = self.plan.sampler.family == "timestep"
        if before:
            # A1111: the timestep samplers see the blend but go on from their own latent
            x = blend_mask(self.p, x, denoiser=self, sigma=level)
        outputs, parts, with_negative = self._outputs(x, level)
        if not with_negative:
            outputs = with_stand_in_uncond(outputs, parts)
        self._remember(x, level, outputs, parts)
        denoised = self._combined(outputs, parts, with_negative)
        self._show(x, level, denoised)
        if not before:
            denoised = blend_mask(self.p, denoised, denoiser=self, sigma=level)
        self.step += 1
        return AfterCFG.fire(self, denoised)

    def _take_over(self, model: Any) -> None:
        self.run.use(model)
        self.run.activate_networks()
        self.conditions = encode_pass(self.run, self.texts)
        self._wrap()

    def _outputs(self, x: Tensor, level: Tensor) -> tuple[Tensor, Parts, bool]:
        """Rows of the network's outputs, conditional ones first; whether unconditional rows follow."""
        cond, parts = self.conditions.positive_at(self.step)
        uncond = None if self._skips(level) else self.conditions.negative_at(self.step)
        if uncond is not None and not self.is_edit:
            cond, uncond = self._padded(cond, uncond)
        call = Denoiser.of(self, x, level, cond, uncond, parts)
        answer = self._recorded(f"{self.key}/{self.step}", call, x.device)
        return Denoised.fire(self, answer), parts, uncond is not None

    def _recorded(self, key: str, call: Denoiser, device: torch.device) -> Tensor:
        """The answer the journal has, else that of the network, recovered where it can be when that fails."""
        run = self.run
        answer = run.runtime.journal.evaluation(key, lambda: run.recovery.run("UNet", run.model, lambda: self._evaluate(call)), device)
        run.settle(key)
        return answer

    def _combined(self, outputs: Tensor, parts: Parts, with_negative: bool) -> Tensor:
        if not with_negative:
            return combine(outputs, parts, 1.0)
        if self.is_edit and self.image_cfg_scale is not None:
            return combine_edit(outputs, self.cfg_scale, self.image_cfg_scale)
        return combine(outputs, parts, self.cfg_scale)

    def _skips(self, level: Tensor) -> bool:
        """Whether this evaluation leaves the negative prompt out; the infotext says so."""
        s = self.settings
        early, floor, every = float(s.skip_early_cond), self.s_min_uncond, bool(s.s_min_uncond_all)
        reason = skip_uncond(
            self.step,
            self.plan.planned_evals,
            float(level[0]),
            skip_early_cond=early,
            s_min_uncond=floor,
            s_min_uncond_all=every,
            is_edit_model=self.is_edit,
        )
        self.run.keep(skip_infotext(reason, early, floor, every))
        return reason is not None

    def _padded(self, cond: CondBatch, uncond: CondBatch) -> tuple[CondBatch, CondBatch]:
        """Make both equally long where a setting asks for it; the infotext tells about the last evaluation."""
        for key in ("Pad conds", "Pad conds v0"):
            self.p.extra_generation_params.pop(key, None)
        missing = cond.tokens - uncond.tokens
        if missing == 0:
            return cond, uncond
        if self.settings.pad_cond_uncond_v0:
            self.run.keep({"Pad conds v0": True})
            return cond, uncond.resized(cond.tokens)
        if self.settings.pad_cond_uncond:
            self.run.keep({"Pad conds": True})
            filler = empty_prompt(self.run)
            if missing > 0:
                return cond, uncond.extended(filler, missing // len(filler))
            return cond.extended(filler, -missing // len(filler)), uncond
        return cond, uncond

    def _evaluate(self, call: Denoiser) -> Tensor:
        """Outputs of all conditional rows, then of the unconditional ones."""
        batched = bool(self.settings.batch_cond_uncond)
        total, conds = len(call.x), len(call.cond)
        if call.uncond is not None and call.uncond.tokens == call.cond.tokens:
            at_once = total if batched else call.images
            return self._in_calls(call, call.cond + call.uncond, 0, total, at_once)
        at_once = conds if call.uncond is None else call.images * (2 if batched else 1)
        outputs = self._in_calls(call, call.cond, 0, conds, at_once)
        if call.uncond is None:
            return outputs
        return torch.cat([outputs, self._in_calls(call, call.uncond, conds, total, call.images)])

    def _in_calls(self, call: Denoiser, texts: CondBatch, first: int, last: int, at_once: int) -> Tensor:
        """Evaluate rows first…last of the call, at most `at_once` in one go of the network."""
        outputs = []
        at_once = min(at_once, self.run.recovery.rows_at_once or at_once)
        for start in range(first, last, at_once):
            rows = slice(start, min(start + at_once, last))
            cond = texts[slice(rows.start - first, rows.stop - first)]
            if call.image.adm is not None:
                cond = CondBatch(cond.crossattn, call.image.adm[rows])
            concat = call.image.concat[rows] if call.image.concat is not None else None
            outputs.append(self._denoiser(call.x[rows], call.level[rows], cond=cond, concat=concat))
        return torch.cat(outputs)

    def _remember(self, x: Tensor, level: Tensor, outputs: Tensor, parts: Parts) -> None:
        self.last_uncond = outputs[-len(parts) :]
        self.last_denoised = self._as_latent(x, level, torch.stack([outputs[sub_prompts[0][0]] for sub_prompts in parts]))

    def _show(self, x: Tensor, level: Tensor, combined: Tensor) -> None:
        """Choose what previews show: the prediction for the prompt, for the negative prompt, or the guided one."""
        content = self.settings.live_preview_content
        self.preview = self.last_denoised
        if content == "Combined":
            self.preview = self._as_latent(x, level, combined)
        elif content == "Negative prompt" and self.last_uncond is not None:
            self.preview = self._as_latent(x, level, self.last_uncond)

    def _as_latent(self, x: Tensor, level: Tensor, output: Tensor) -> Tensor:
        """The predicted picture's latent: what denoisers give, or of the timestep family's noise prediction."""
        if self.plan.sampler.family != "timestep":
            return output
        alpha = self.plan.schedule.alphas_cumprod.to(x.device)[level.long()].reshape(-1, 1, 1, 1)
        return (x - (1 - alpha).sqrt() * output) / alpha.sqrt()
