"""What somebody drew on a picture with a brush: the picture to start from and the mask (generation.md §6.2)."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter


def sketch_inpaint(sketched: Image.Image, original: Image.Image, mask_blur: float, transparency: float) -> tuple[Image.Image, Image.Image]:
    """The init picture and the mask of "inpaint sketch", from a picture before and after colours were drawn on it.

    The mask (L) holds the pixels that differ, dimmed by `transparency` in percent (0..100). In the init picture the sketch is
    laid softly, blurred by `mask_blur` pixels, over the original. Both pictures must be of one size and mode, else ValueError.
    """
    if (sketched.size, sketched.mode) != (original.size, original.mode):
        raise ValueError(f"the sketch is {sketched.mode} {sketched.size}, its original {original.mode} {original.size}; they must be alike")
    differs = np.asarray(sketched) != np.asarray(original)
    drawn = differs.any(axis=-1) if differs.ndim == 3 else differs
    mask = Image.fromarray(drawn.astype(np.uint8) * 255)
    mask = ImageEnhance.Brightness(mask).enhance(1 - transparency / 100)
    blur = ImageFilter.GaussianBlur(mask_blur)
    return Image.composite(sketched.filter(blur), original, mask.filter(blur)), mask
