"""The refiner: another checkpoint takes over in the middle of a pass (generation.md §7.4 of the reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules.diffusion.schedule import TIMESTEPS
from modules.pipeline.processing import RequestError

if TYPE_CHECKING:
    from modules.diffusion.plan import SamplingPlan
    from modules.pipeline.model import DiffusionModel
    from modules.pipeline.run import Run


def refiner_name(run: Run) -> str | None:
    """The refiner's checkpoint the request names, or None. Raises RequestError for one nobody knows."""
    name = run.p.refiner_checkpoint
    if name in (None, "", "None", "none"):
        return None
    if not run.runtime.knows_checkpoint(str(name)):
        raise RequestError("refiner_checkpoint", f"checkpoint '{name}' was not found; see /sdapi/v1/sd-models for the names")
    return str(name)


class RefinerSwitch:
    """Decides, evaluation by evaluation, when the refiner takes over in one pass."""

    def __init__(self, run: Run, plan: SamplingPlan) -> None:
        self.run, self.plan = run, plan
        self.name = refiner_name(run)

    def model_at(self, evaluation: int, level: Tensor) -> DiffusionModel | None:
        """The refiner, where this evaluation is the one at which it takes over; the infotext says so."""
        run, p, settings = self.run, self.run.p, self.run.settings
        if settings.refiner_switch_by_sample_steps:
            # A1111: written whether or not there is a refiner
            run.keep({"Refiner switch by sampling steps": True})
        if self.name is None or not self._in_this_pass():
            return None
        if p.refiner_switch_at is not None and self._progress(evaluation, level) < p.refiner_switch_at:
            return None
        refiner = run.runtime.load_model(self.name, run.settings)
        self.name = None
        if refiner is run.model:
            return None
        if refiner.spec.unet.in_channels != run.model.spec.unet.in_channels:
            problem = f"'{refiner.name}' takes other inputs than '{run.model.name}' and cannot go on where it stops; choose another one"
            raise RequestError("refiner_checkpoint", problem)
        run.keep(self._infotext(refiner))
        return refiner

    def _in_this_pass(self) -> bool:
        p, wanted = self.run.p, self.run.settings.hires_fix_refiner_pass
        if not getattr(p, "enable_hr", False) or wanted == "both passes":
            return True
        return p.is_hr_pass == (wanted == "second pass")

    def _infotext(self, refiner: DiffusionModel) -> dict[str, Any]:
        p, where = self.run.p, self.run.settings.hires_fix_refiner_pass
        hires = getattr(p, "enable_hr", False) and where != "second pass"
        return ({"Hires refiner": where} if hires else {}) | {"Refiner": refiner.title, "Refiner switch at": p.refiner_switch_at}

    def _progress(self, evaluation: int, level: Tensor) -> float:
        """How much of the way is done: by evaluations, or by the model's timesteps."""
        if self.run.settings.refiner_switch_by_sample_steps:
            return evaluation / self.plan.planned_evals
        if self.plan.sampler.family == "timestep":
            index = int(level.max())
        else:
            index = int(torch.argmin((self.plan.schedule.sigmas.to(level.device) - level.max()).abs()))
        return (TIMESTEPS - 1 - index) / TIMESTEPS
