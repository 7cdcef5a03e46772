"""Keeping what is outside the mask: the latent of the init picture is blended in at every evaluation and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from modules.events import MaskBlendArgs

if TYPE_CHECKING:
    from modules.pipeline.processing import StableDiffusionProcessing


def blend_mask(p: StableDiffusionProcessing, current: Tensor, *, denoiser: Any = None, sigma: Tensor | None = None) -> Tensor:
    """`current` [B, C, h, w] inside the mask, the init latent outside; scripts may replace the blend.

    `denoiser` is None for the last blend, after sampling. Without a mask nothing changes.
    `p.mask` is 1 where the picture is kept, `p.nmask` 1 where it is drawn.
    """
    if p.mask is None or p.nmask is None or p.init_latent is None:
        return current
    blended = current * p.nmask + p.init_latent * p.mask
    if p.scripts is None:
        return blended
    args = MaskBlendArgs(current, p.nmask, p.init_latent, p.mask, blended, denoiser, sigma)
    p.hook("on_mask_blend", args)
    return args.blended_latent
