"""What the hooks of a script are given besides the request: A1111's class names and fields; scripts assign to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class PostprocessImageArgs:
    """One finished picture (PIL)."""

    image: Any


@dataclass(eq=False)
class PostprocessBatchListArgs:
    """The pictures of a batch: tensors [3, H, W] in 0..1; the list may grow or shrink."""

    images: list[Any]


@dataclass(eq=False)
class PostSampleArgs:
    """The latents of a batch [B, C, h, w]; after a hires pass already decoded pictures."""

    samples: Any


@dataclass(eq=False)
class MaskBlendArgs:
    """Latents being blended along the mask; `blended_latent` is what goes on.

    `mask` and `nmask` are [C, h, w]: 1 where the original stays and where it is painted over, respectively.
    """

    current_latent: Any
    nmask: Any
    init_latent: Any
    mask: Any
    blended_latent: Any
    denoiser: Any = None
    sigma: Any = None
    is_final_blend: bool | None = None
    """True for the blend after sampling, which has no denoiser."""

    def __post_init__(self) -> None:
        if self.is_final_blend is None:
            self.is_final_blend = self.denoiser is None


@dataclass(eq=False)
class PostProcessMaskOverlayArgs:
    """The overlay of one picture; mask and overlay are None where the job has no mask."""

    index: int
    mask_for_overlay: Any
    overlay_image: Any


@dataclass(eq=False)
class OnComponent:
    """A component of the page that was, or is about to be, created."""

    component: Any
