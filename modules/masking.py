"""Masks: the part of a picture around one, and filling what is under one (platform.md §4.14)."""

from __future__ import annotations

from typing import Any

from PIL import Image

from modules.imaging.crop_region import Box, crop_region
from modules.imaging.crop_region import expand_crop_region as expand_crop_region
from modules.imaging.fill import fill_masked


def get_crop_region_v2(mask: Any, pad: int = 0) -> Box | None:
    """The box around a mask; None for an empty one."""
    return crop_region(mask if isinstance(mask, Image.Image) else Image.fromarray(mask), pad)


def get_crop_region(mask: Any, pad: int = 0) -> Box:
    """The box around a mask; for an empty one, a box turned inside out."""
    image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
    return crop_region(image, pad) or (image.width, image.height, 0, 0)


def fill(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture with what is white in the mask filled from outside."""
    return fill_masked(image.convert("RGB"), mask)
