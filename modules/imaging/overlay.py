"""Putting a drawn part back into the picture it came from (generation.md §6.6 of the reference)."""

from __future__ import annotations

from PIL import Image

from modules.imaging.crop_region import Box
from modules.imaging.fill import without_masked
from modules.imaging.resize import ResizeMode, Upscale, resize_image


def overlay_of(image: Image.Image, mask: Image.Image) -> Image.Image:
    """What is laid over the result: the picture (RGBA), transparent where `mask` is white."""
    return without_masked(image, mask).convert("RGBA")


def uncrop(image: Image.Image, size: tuple[int, int], box: Box, upscale: Upscale | None = None) -> Image.Image:
    """The picture on a transparent canvas of `size`, fitted into `box` given as x, y, width, height."""
    x, y, width, height = box
    canvas = Image.new("RGBA", size)
    canvas.paste(resize_image(ResizeMode.CROP_AND_RESIZE, image, width, height, upscale), (x, y))
    return canvas


def apply_overlay(
    image: Image.Image, paste_to: Box | None, overlay: Image.Image | None, upscale: Upscale | None = None
) -> tuple[Image.Image, Image.Image]:
    """(the composed picture, the drawn one alone at its place).

    `paste_to` (x, y, width, height) is where the drawn part belongs, None for the whole picture. Without an overlay both are `image`.
    """
    if overlay is None:
        return image, image.copy()
    if paste_to is not None:
        image = uncrop(image, overlay.size, paste_to, upscale)
    composed = image.convert("RGBA")
    composed.alpha_composite(overlay)
    return composed.convert("RGB"), image.copy()


def mask_composite(drawn: Image.Image, mask: Image.Image, upscale: Upscale | None = None) -> Image.Image:
    """The drawn picture (RGBA), visible only where `mask` is white."""
    fitted = resize_image(ResizeMode.RESIZE_AND_FILL, mask, drawn.width, drawn.height, upscale).convert("L")
    nothing = Image.new("RGBa", drawn.size)
    return Image.composite(drawn.convert("RGBA").convert("RGBa"), nothing, fitted).convert("RGBA")
