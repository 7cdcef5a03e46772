"""Soft inpainting: grey in a mask says how much may change, and the result is laid in where it really differs (generation.md §4.6).

While sampling, latents are blended along the soft mask with their magnitude kept; afterwards the mask of the overlay is
made anew from the distance between what was and what is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor

from modules.imaging.histogram_filter import gaussian_kernel, weighted_histogram_filter
from modules.imaging.mask import create_binary_mask
from modules.imaging.overlay import overlay_of, uncrop
from modules.imaging.reading import flatten
from modules.imaging.resize import ResizeMode, resize_image

if TYPE_CHECKING:
    from modules.pipeline.processing import StableDiffusionProcessingImg2Img

FULL_WINDOW = (0.9, 1.0)
MIDDLE_WINDOW = (0.25, 0.75)
KERNEL_RADIUS, KERNEL_DEVIATION = 2, 1.5
ANTIALIAS_RADIUS = 4


@dataclass(frozen=True)
class SoftInpainting:
    """The settings, in the order of the script's arguments.

    schedule_bias 0..8: above 1 changes come late. preservation_strength 0..8. contrast_boost 1..32: exponent of the magnitudes.
    mask_influence 0..1, difference_threshold 0..8 and difference_contrast 0..8 shape the mask of the overlay.
    """

    schedule_bias: float = 1
    preservation_strength: float = 0.5
    contrast_boost: float = 4
    mask_influence: float = 0
    difference_threshold: float = 0.5
    difference_contrast: float = 2

    def infotext(self) -> dict[str, Any]:
        """The keys a job with these settings writes."""
        return {
            "Soft inpainting enabled": True,
            "Soft inpainting schedule bias": self.schedule_bias,
            "Soft inpainting preservation strength": self.preservation_strength,
            "Soft inpainting transition contrast boost": self.contrast_boost,
            "Soft inpainting mask influence": self.mask_influence,
            "Soft inpainting difference threshold": self.difference_threshold,
            "Soft inpainting difference contrast": self.difference_contrast,
        }


def mask_at(settings: SoftInpainting, nmask: Tensor, sigma: Tensor) -> Tensor:
    """The mask of one evaluation at noise level `sigma` (a scalar): soft parts are drawn more the less noise there is."""
    return torch.pow(nmask, sigma**settings.schedule_bias * settings.preservation_strength)


def blend_latents(settings: SoftInpainting, original: Tensor, current: Tensor, share: Tensor) -> Tensor:
    """From `original` to `current` [B, C, h, w] by `share` [C, h, w] in 0..1, each cell's length being blended on its own.

    Plain mixing would shorten vectors of different directions, which shows as a loss of contrast.
    """
    mixed = original * (1 - share) + current * share
    weight = share[:1].double()
    length = torch.linalg.vector_norm(mixed, dim=1, keepdim=True).double() + 0.00001
    exponent = settings.contrast_boost
    wanted = (_powered(original, exponent) * (1 - weight) + _powered(current, exponent) * weight) ** (1 / exponent)
    return (mixed * (wanted / length)).to(mixed.dtype)


def _powered(latent: Tensor, exponent: float) -> Tensor:
    # A1111: in double precision, as large exponents leave the range of float32
    return torch.linalg.vector_norm(latent, dim=1, keepdim=True).double() ** exponent


def original_overlays(p: StableDiffusionProcessingImg2Img, upscale: Any, background: str) -> list[Image.Image]:
    """The whole init pictures of a batch as they were before masking, RGBA."""
    overlays = []
    for image in p.init_images:
        image = flatten(image, background)
        if p.paste_to is None and p.resize_mode != ResizeMode.LATENT_UPSCALE:
            image = resize_image(p.resize_mode, image, p.width, p.height, upscale)
        overlays.append(image.convert("RGBA"))
    return overlays * p.batch_size if len(overlays) == 1 else overlays


def difference_masks(
    settings: SoftInpainting,
    nmask: Tensor,
    original: Tensor,
    result: Tensor,
    overlays: list[Image.Image],
    size: tuple[int, int],
    paste_to: tuple[int, int, int, int] | None,
    upscale: Any = None,
) -> tuple[list[Image.Image], list[Image.Image]]:
    """Masks and overlays of a batch: opaque where `result` [B, C, h, w] has hardly left `original`.

    `size` (width, height) is the job's; `paste_to` where the drawn part lies in the overlays, None for all of it.
    """
    scale = _distance_scale(settings, nmask[0])
    distances = torch.linalg.vector_norm(result - original, dim=1).float().cpu().numpy()
    masks, covered = [], []
    for distance, overlay in zip(distances, overlays, strict=False):
        pixels = Image.fromarray(_changed(settings, distance, scale))
        mask = create_binary_mask(resize_image(ResizeMode.RESIZE_AND_FILL, pixels, *size, upscale), round=False)
        mask = mask.filter(ImageFilter.GaussianBlur(ANTIALIAS_RADIUS))
        if paste_to is not None:
            mask = uncrop(mask, overlay.size, paste_to, upscale)
        masks.append(mask)
        covered.append(overlay_of(overlay, mask))
    return masks, covered


def _distance_scale(settings: SoftInpainting, nmask: Tensor) -> NDArray[np.float32]:
    """The distance [h, w] at which a cell counts as half changed: further where the mask is darker."""
    influence = settings.mask_influence
    kept = 1 - torch.clamp(nmask.float(), 0, 1) ** (settings.preservation_strength / 2)
    kept = 0.5 * (1 - influence) + kept * influence
    scale: NDArray[np.float32] = (kept / (1.00001 - kept)).cpu().numpy()
    return scale * settings.difference_threshold


def _changed(settings: SoftInpainting, distance: NDArray[Any], scale: NDArray[np.float32]) -> NDArray[np.uint8]:
    """How much each cell has changed, 0..255."""
    kernel = gaussian_kernel(KERNEL_DEVIATION, KERNEL_RADIUS)
    for low, high in (FULL_WINDOW, MIDDLE_WINDOW):
        distance = weighted_histogram_filter(distance, kernel, low, high, min_width=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        same = 1 / (1 + (distance / scale) ** settings.difference_contrast)
    same = np.nan_to_num(same)
    smooth = same**3 * (same * (same * 6 - 15) + 10)
    return (255.0 * (1 - smooth)).astype(np.uint8)
