"""What a callback is given: A1111's class names, field names and order of arguments.

Fields may be assigned by the callback unless said otherwise; whoever fires reads them afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class ImageSaveParams:
    """A picture about to be written, or just written; `pnginfo` maps names of chunks to text."""

    image: Any
    p: Any
    filename: str
    pnginfo: dict[str, Any]


@dataclass(eq=False)
class ExtraNoiseParams:
    """Extra noise of img2img and of the hires pass: `noise`, the clean latent `x`, the noised latent `xi`, all [B, C, h, w]."""

    noise: Any
    x: Any
    xi: Any


@dataclass(eq=False)
class CFGDenoiserParams:
    """One evaluation before the network runs: rows of all conditionings first, then the unconditional ones.

    `x` [B, C, h, w], `image_cond` [B, k, h, w], `sigma` [B]; the texts are tensors [B, T, D], or a dict of them on SDXL.
    Assigning `denoiser` has no effect.
    """

    x: Any
    image_cond: Any
    sigma: Any
    sampling_step: int
    total_sampling_steps: int
    text_cond: Any
    text_uncond: Any
    denoiser: Any = None


@dataclass(eq=False)
class CFGDenoisedParams:
    """One evaluation after the network ran: `x` holds its raw outputs, conditional rows first."""

    x: Any
    sampling_step: int
    total_sampling_steps: int
    inner_model: Any = None


@dataclass(eq=False)
class AfterCFGCallbackParams:
    """One evaluation after guidance and mask blending; `x` [B, C, h, w] is what the sampler gets."""

    x: Any
    sampling_step: int
    total_sampling_steps: int


@dataclass(eq=False)
class ImageGridLoopParams:
    """A grid about to be put together: `imgs` row by row."""

    imgs: list[Any]
    cols: int
    rows: int


@dataclass(eq=False)
class BeforeTokenCounterParams:
    """A text whose tokens are about to be counted."""

    prompt: str
    steps: int
    styles: list[str] = field(default_factory=list)
    is_positive: bool = True


@dataclass(eq=False)
class UiTrainTabParams:
    """The Train page under construction: components of the text-to-picture page whose values its previews use."""

    txt2img_preview_params: list[Any]
