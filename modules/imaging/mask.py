"""Masks of inpainting: white is drawn anew, black is kept (generation.md §6.2 and §6.3 of the reference)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

OPAQUE = (255, 255)
THRESHOLD = 128


def create_binary_mask(image: Image.Image, round: bool = True) -> Image.Image:
    """The mask in a picture, mode L: its alpha channel where that varies, else its brightness.

    `round` makes alpha 0 or 255; brightness stays as it is.
    """
    if image.mode != "RGBA" or image.getextrema()[-1] == OPAQUE:
        return image.convert("L")
    alpha = image.getchannel("A")
    return alpha.point(lambda value: 255 if value > THRESHOLD else 0) if round else alpha


def blur_mask(mask: Image.Image, blur_x: float, blur_y: float) -> Image.Image:
    """Gaussian blur in 8 bits, first along x, then along y; standard deviations in pixels, 0 for none."""
    pixels = np.array(mask)
    if blur_x > 0:
        pixels = cv2.GaussianBlur(pixels, (_kernel(blur_x), 1), blur_x).reshape(pixels.shape)
    if blur_y > 0:
        pixels = cv2.GaussianBlur(pixels, (1, _kernel(blur_y)), blur_y).reshape(pixels.shape)
    return Image.fromarray(pixels)


def _kernel(blur: float) -> int:
    return 2 * int(2.5 * blur + 0.5) + 1


def overlay_mask(mask: Image.Image) -> Image.Image:
    """Twice the mask, at most 255: the original is laid over a picture only where the mask is below one half."""
    doubled = np.clip(np.array(mask).astype(np.float32) * 2, 0, 255).astype(np.uint8)
    return Image.fromarray(doubled)


def latent_mask(mask: Image.Image, width: int, height: int, *, round: bool = True) -> NDArray[np.float32]:
    """The mask as numbers 0..1 [height, width] at the latents' size; `round` makes them 0 or 1 (a half becomes 0)."""
    small = np.array(mask.convert("RGB").resize((width, height)))[:, :, 0].astype(np.float32) / np.float32(255)
    return np.rint(small) if round else small


def inverted(mask: Image.Image) -> Image.Image:
    """White for black."""
    return ImageOps.invert(mask)
