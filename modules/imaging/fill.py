"""Masked content "fill": the masked part of a picture replaced by the blurred colours around it (generation.md §6.5)."""

from __future__ import annotations

from PIL import Image, ImageFilter, ImageOps

BLURS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))
"""(radius in pixels, how often the copy is laid on), coarse first."""


def fill_masked(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture (RGB) with what is white in `mask` filled from outside; both of one size."""
    kept = without_masked(image, mask)
    canvas = Image.new("RGBA", image.size)
    for radius, repeats in BLURS:
        blurred = kept.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(repeats):
            canvas.alpha_composite(blurred)
    return canvas.convert("RGB")


def without_masked(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture transparent where `mask` is white, with premultiplied alpha (mode RGBa)."""
    result = Image.new("RGBa", image.size)
    result.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask.convert("L")))
    return result
