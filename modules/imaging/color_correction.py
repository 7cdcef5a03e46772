"""Giving a picture the colours of another (generation.md §6.6 of the reference).

The distributions of the three CIELAB channels are matched, then the picture's own brightness is put back (the blend mode
"luminosity" of the W3C's Compositing and Blending, section 10.3, with the weights of BT.601).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

WEIGHTS = np.array([0.299, 0.587, 0.114])
"""Shares of red, green and blue in the brightness (ITU-R BT.601)."""
Pixels = NDArray[np.uint8]


def setup_color_correction(image: Image.Image) -> Pixels:
    """The colours to match: the picture as 8-bit CIELAB [H, W, 3]."""
    return np.asarray(cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2LAB), dtype=np.uint8)


def apply_color_correction(target: Pixels, image: Image.Image) -> Image.Image:
    """The picture (RGB) with the colours of `target`, which `setup_color_correction` made.

    # A1111: truncates to 8 bits instead of rounding
    """
    original = np.asarray(image.convert("RGB"))
    lab = setup_color_correction(image)
    matched = np.stack([_matched(lab[..., c], target[..., c]) for c in range(3)], axis=-1)
    corrected = np.asarray(cv2.cvtColor(matched, cv2.COLOR_LAB2RGB))
    blended = luminosity_blend(corrected / 255, original / 255)
    return Image.fromarray((blended * 255).astype(np.uint8))


def _matched(source: Pixels, target: Pixels) -> Pixels:
    """One channel whose cumulative histogram is the target's; fractions are cut off."""
    counts, wanted = np.bincount(source.reshape(-1)), np.bincount(target.reshape(-1))
    values = np.nonzero(wanted)[0]
    table = np.interp(np.cumsum(counts) / source.size, np.cumsum(wanted[values]) / target.size, values)
    return table[source].astype(np.uint8)


def luminosity_blend(colours: NDArray[np.float64], brightness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hue and saturation of one picture with the luminosity of another; both [H, W, 3] in 0..1."""
    shifted = colours + ((brightness - colours) @ WEIGHTS)[..., None]
    level = (shifted @ WEIGHTS)[..., None]
    low, high = shifted.min(axis=-1, keepdims=True), shifted.max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        shifted = np.where(low < 0, level + (shifted - level) * level / (level - low), shifted)
        shifted = np.where(high > 1, level + (shifted - level) * (1 - level) / (high - level), shifted)
    return np.clip(shifted, 0, 1)
