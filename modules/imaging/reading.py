"""What every picture from outside goes through before it is used (generation.md §6.5 of the reference)."""

from __future__ import annotations

from PIL import Image, ImageOps


def corrected(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says, and with an alpha channel where a PNG keeps transparency beside its pixels."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGB", "P") and isinstance(image.info.get("transparency"), bytes):
        return image.convert("RGBA")
    return image


def flatten(image: Image.Image, background: str) -> Image.Image:
    """The picture as RGB, its transparent parts on the colour `background`."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    canvas = Image.new("RGBA", image.size, background)
    canvas.paste(image, mask=image)
    return canvas.convert("RGB")
