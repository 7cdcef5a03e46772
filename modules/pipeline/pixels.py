"""Between decoded tensors and pictures."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_tensor(images: list[Image.Image], device: torch.device) -> Tensor:
    """Tensors [B, 3, H, W] in -1..1 from RGB pictures of one size."""
    pixels = np.stack([np.asarray(image, dtype=np.float32) for image in images]) / 255.0
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device) * 2.0 - 1.0


def to_images(decoded: Tensor) -> list[Image.Image]:
    """Pictures from tensors [B, 3, H, W] in -1..1; values outside are clamped.

    # A1111: truncates to 8 bits instead of rounding
    """
    return [unit_to_image(picture) for picture in to_unit(decoded)]


def to_unit(decoded: Tensor) -> Tensor:
    """Decoded pictures in -1..1 as 0..1, clamped."""
    return torch.clamp((decoded.float() + 1.0) / 2.0, min=0.0, max=1.0)


def unit_to_image(picture: Tensor) -> Image.Image:
    """A picture from a tensor [3, H, W] in 0..1."""
    row = 255.0 * picture.permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(row.astype(np.uint8))
