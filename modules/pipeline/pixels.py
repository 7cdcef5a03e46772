"""Between decoded tensors and pictures."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_images(decoded: Tensor) -> list[Image.Image]:
    """Pictures from tensors [B, 3, H, W] in -1..1; values outside are clamped.

    # A1111: truncates to 8 bits instead of rounding
    """
    pixels = torch.clamp((decoded.float() + 1.0) / 2.0, min=0.0, max=1.0)
    rows = 255.0 * pixels.permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(row.astype(np.uint8)) for row in rows]
