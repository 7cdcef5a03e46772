"""One evaluation as extensions see it: what they may change before the network runs, after it, and after guidance.

Without listeners nothing of this costs more than a look into an empty list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules import events
from modules.pipeline.model import CondBatch, ImageCond

if TYPE_CHECKING:
    from modules.diffusion.guidance import Parts
    from modules.pipeline.guided import GuidedModel


@dataclass
class Denoiser:
    """What the network gets in one evaluation: rows of all sub-prompts first, then one row an image without the prompt.

    x [rows, C, h, w], level [rows], image conditioning by row; `images` is the number of pictures.
    """

    x: Tensor
    level: Tensor
    image: ImageCond
    cond: CondBatch
    uncond: CondBatch | None
    images: int

    @classmethod
    def of(cls, guided: GuidedModel, x: Tensor, level: Tensor, cond: CondBatch, uncond: CondBatch | None, parts: Parts) -> Denoiser:
        """Repeat latents and picture conditioning for every row, and let the listeners change them."""
        rows = [image for image, sub_prompts in enumerate(parts) for _ in sub_prompts]
        plain = list(range(len(parts)))
        image = guided.image.rows(rows, plain, edit=guided.is_edit)
        if guided.is_edit and uncond is not None:
            uncond, plain = uncond + uncond, plain * 2
        everything = rows if uncond is None and not guided.is_edit else rows + plain
        if uncond is None:
            image = image.first(len(everything))
        call = cls(x[everything], level[everything], image, cond, uncond, len(parts))
        if events.has("cfg_denoiser"):
            call._tell(guided)
        return call

    def _tell(self, guided: GuidedModel) -> None:
        picture = self.image.concat if self.image.adm is None else self.image.adm
        params = events.CFGDenoiserParams(
            self.x,
            torch.zeros_like(self.x) if picture is None else picture,
            self.level,
            guided.callback_step,
            guided.plan.steps,
            as_text(self.cond),
            None if self.uncond is None else as_text(self.uncond),
            guided,
        )
        events.fire("cfg_denoiser", params)
        self.x, self.level = params.x, params.sigma
        if self.image.adm is not None:
            self.image = ImageCond(None, params.image_cond)
        elif picture is not None:
            self.image = ImageCond(params.image_cond, None)
        self.cond = from_text(params.text_cond)
        if self.uncond is not None:
            self.uncond = from_text(params.text_uncond)


class Denoised:
    """After the network, before guidance."""

    @staticmethod
    def fire(guided: GuidedModel, outputs: Tensor) -> Tensor:
        """The raw outputs, conditional rows first, as the listeners leave them."""
        if not events.has("cfg_denoised"):
            return outputs
        params = events.CFGDenoisedParams(outputs, guided.callback_step, guided.plan.steps, guided)
        events.fire("cfg_denoised", params)
        return params.x


class AfterCFG:
    """After guidance and mask blending: what the sampler gets."""

    @staticmethod
    def fire(guided: GuidedModel, denoised: Tensor) -> Tensor:
        """The guided latent [B, C, h, w] as the listeners leave it."""
        if not events.has("cfg_after_cfg"):
            return denoised
        params = events.AfterCFGCallbackParams(denoised, guided.callback_step, guided.plan.steps)
        events.fire("cfg_after_cfg", params)
        return params.x


def as_text(cond: CondBatch) -> Any:
    """A conditioning as A1111 hands it out: a tensor, or a dictionary where the family has a vector beside it."""
    return cond.crossattn if cond.vector is None else {"crossattn": cond.crossattn, "vector": cond.vector}


def from_text(text: Any) -> CondBatch:
    """The inverse of `as_text`."""
    return CondBatch(text["crossattn"], text["vector"]) if isinstance(text, dict) else CondBatch(text)
