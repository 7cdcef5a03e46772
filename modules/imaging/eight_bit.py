"""Pictures of any mode as 8-bit RGB."""

from __future__ import annotations

import numpy as np
from PIL import Image

DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
LARGEST_16_BIT = 65535


def as_rgb(image: Image.Image) -> Image.Image:
    """The picture as RGB with 8 bits, alpha dropped; deeper greys are scaled down, not cut off.

    16-bit values span 0..65535, floating point ones 0..1 (or 0..255 where any lies above 1).
    """
    return _eight_bit_grey(image).convert("RGB") if image.mode in DEEP_MODES else image.convert("RGB")


def _eight_bit_grey(image: Image.Image) -> Image.Image:
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    if image.mode == "F":
        scale = 255.0 if values.max(initial=0) <= 1 else 1.0
    else:
        scale = 255 / LARGEST_16_BIT if image.mode != "I" or values.max(initial=0) > 255 else 1.0
    return Image.fromarray(np.clip(values * scale + 0.5, 0, 255).astype(np.uint8), "L")
