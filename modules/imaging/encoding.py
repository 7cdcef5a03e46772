"""Pictures to bytes: PNG, JPEG, WEBP and others, with their infotext inside."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from .metadata import EXIF_LIMIT, exif_with_comment, png_info

log = logging.getLogger(__name__)

SIDE_LIMITS = {"JPEG": 65535, "WEBP": 16383}
GREY16_TO_8 = 0.0038910505836576
_NAMES = {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF"}


class UnknownFormat(ValueError):
    """No picture format has this name."""


@dataclass(frozen=True)
class Encoding:
    """How pictures are written; the defaults are the settings' defaults."""

    jpeg_quality: int = 80
    webp_lossless: bool = False

    @classmethod
    def from_settings(cls, settings: Any) -> Encoding:
        return cls(int(settings.jpeg_quality), bool(settings.webp_lossless))


def format_name(extension: str) -> str:
    """Pillow's name of the format that an extension (with or without dot) stands for; raises UnknownFormat."""
    short = extension.lower().removeprefix(".")
    name = _NAMES.get(short) or Image.registered_extensions().get(f".{short}", "")
    if name not in Image.SAVE:
        raise UnknownFormat(f"'{extension}' is no picture format that can be written; use png, jpg or webp")
    return name


def fitting_extension(extension: str, size: tuple[int, int]) -> str:
    """The extension, or png where the format cannot hold a picture of this size."""
    limit = SIDE_LIMITS.get(format_name(extension))
    return "png" if limit is not None and max(size) > limit else extension


def encode(
    image: Image.Image,
    extension: str,
    infotext: str | None = None,
    *,
    chunk: str = "parameters",
    existing: Mapping[str, Any] | None = None,
    encoding: Encoding | None = None,
) -> bytes:
    """The picture as a file's bytes; PNG gets `existing` texts and `infotext` as text chunks, JPEG, WEBP and AVIF the infotext as EXIF.

    Raises UnknownFormat.
    """
    name, how = format_name(extension), encoding or Encoding()
    options: dict[str, Any] = {}
    if name == "PNG":
        options["pnginfo"] = png_info(infotext, chunk, existing)
    elif name in ("JPEG", "WEBP", "AVIF"):
        image = _without_alpha(image, name)
        options["quality"] = how.jpeg_quality
        if name == "WEBP":
            options["lossless"] = how.webp_lossless
        options.update(_exif(infotext, name))
    elif name == "GIF" and infotext is not None:
        options["comment"] = infotext.encode("utf-8", "replace")
    buffer = io.BytesIO()
    image.save(buffer, format=name, **options)
    return buffer.getvalue()


def _exif(infotext: str | None, name: str) -> dict[str, bytes]:
    if infotext is None:
        return {}
    exif = exif_with_comment(infotext)
    if name == "JPEG" and len(exif) > EXIF_LIMIT:
        log.warning("an infotext of %d characters does not fit into a JPEG; the picture is written without it", len(infotext))
        return {}
    return {"exif": exif}


def _without_alpha(image: Image.Image, name: str) -> Image.Image:
    if image.mode in ("I;16", "I"):
        return image.convert("I").point(lambda value: value * GREY16_TO_8).convert("L" if name == "JPEG" else "RGB")
    return image if image.mode in ("RGB", "L") else image.convert("RGB")
