"""Fitting a picture into a frame: the four resize modes of img2img (generation.md §6.1 of the reference)."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from PIL import Image

Upscale = Callable[[Image.Image, float], Image.Image]
"""Enlarges a picture by a factor; the result may differ from the exact size by a few pixels."""
LANCZOS = Image.Resampling.LANCZOS


class ResizeMode(IntEnum):
    """How a picture of another shape is brought to the wanted size."""

    JUST_RESIZE = 0
    CROP_AND_RESIZE = 1
    RESIZE_AND_FILL = 2
    LATENT_UPSCALE = 3


def resize_image(mode: int, image: Image.Image, width: int, height: int, upscale: Upscale | None = None) -> Image.Image:
    """The picture as `width` x `height` pixels; modes other than 0 give RGB.

    `upscale` enlarges where the picture is too small; None means Lanczos alone. An unknown mode fills like mode 2.
    # A1111: so does mode 3, which concerns latents; masks pass through here with it
    """
    if mode == ResizeMode.JUST_RESIZE:
        return scaled(image, width, height, upscale)
    if mode == ResizeMode.CROP_AND_RESIZE:
        return _cropped(image, width, height, upscale)
    return _filled(image, width, height, upscale)


def scaled(image: Image.Image, width: int, height: int, upscale: Upscale | None = None) -> Image.Image:
    """The picture stretched to the size: by `upscale` as far as it has to grow, then by Lanczos. Greyscale by Lanczos alone."""
    if upscale is not None and image.mode != "L":
        factor = max(width / image.width, height / image.height)
        if factor > 1.0:
            image = upscale(image, factor)
        if image.size == (width, height):
            return image
    return image.resize((width, height), LANCZOS)


def _cropped(image: Image.Image, width: int, height: int, upscale: Upscale | None) -> Image.Image:
    wider = width / height > image.width / image.height
    inner_width = width if wider else image.width * height // image.height
    inner_height = image.height * width // image.width if wider else height
    return _centred(scaled(image, inner_width, inner_height, upscale), width, height)


def _filled(image: Image.Image, width: int, height: int, upscale: Upscale | None) -> Image.Image:
    """The whole picture in the middle; what is left is filled by stretching its edge rows or columns."""
    ratio, own = width / height, image.width / image.height
    inner_width = width if ratio < own else image.width * height // image.height
    inner_height = height if ratio >= own else image.height * width // image.width
    inner = scaled(image, inner_width, inner_height, upscale)
    result = _centred(inner, width, height)
    if ratio < own:
        band = height // 2 - inner_height // 2
        if band > 0:
            result.paste(inner.resize((width, band), box=(0, 0, inner.width, 0)), (0, 0))
            result.paste(inner.resize((width, band), box=(0, inner.height, inner.width, inner.height)), (0, band + inner_height))
    elif ratio > own:
        band = width // 2 - inner_width // 2
        if band > 0:
            result.paste(inner.resize((band, height), box=(0, 0, 0, inner.height)), (0, 0))
            result.paste(inner.resize((band, height), box=(inner.width, 0, inner.width, inner.height)), (band + inner_width, 0))
    return result


def _centred(image: Image.Image, width: int, height: int) -> Image.Image:
    """On black.  # A1111: halves are floored one by one, so odd sizes can leave a black row or column"""
    canvas = Image.new("RGB", (width, height))
    canvas.paste(image, (width // 2 - image.width // 2, height // 2 - image.height // 2))
    return canvas
