"""Pictures in requests and answers: base64 to Pillow and back, with limits (platform.md §3.1)."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from typing import Any

from fastapi import HTTPException
from PIL import Image, UnidentifiedImageError

from modules.imaging.encoding import Encoding, encode

FORMATS_IN = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Formats that are read; Pillow's others either start programs (EPS) or are of no use here."""
FORMATS_OUT = ("png", "jpg", "jpeg", "webp")
MAX_PIXELS = 200_000_000


def decode_image(text: str, field: str, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture in a base64 text or `data:` URI, fully read, as it is stored (not rotated).

    Raises HTTPException 422 that names the field: no picture, broken, of more than `max_pixels` pixels, or a URL.
    """
    if text.startswith(("http://", "https://")):
        raise _bad(field, "addresses are not fetched; send the picture itself as base64")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        content = base64.b64decode(text)
    except (binascii.Error, ValueError):
        raise _bad(field, "Invalid encoded image: this is no base64") from None
    return _opened(content, field, max_pixels)


def _opened(content: bytes, field: str, max_pixels: int) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS_IN)
            if image.width * image.height > max_pixels:
                raise _bad(field, f"{image.width}x{image.height} is more than {max_pixels // 1_000_000} million pixels")
            image.load()
    except HTTPException:
        raise
    except UnidentifiedImageError:
        raise _bad(field, "Invalid encoded image: it is of no format that is read here") from None
    except Image.DecompressionBombError:
        raise _bad(field, "the picture has too many pixels") from None
    except Exception as error:  # Pillow's readers raise nearly anything on a broken file
        raise _bad(field, f"Invalid encoded image: {error or type(error).__name__}") from None
    return image


def encode_image(image: Image.Image, settings: Any, *, with_infotext: bool = True) -> str:
    """The picture as base64 in the settings' `samples_format`, with its infotext; PNG keeps all its texts.

    `settings` is anything with `samples_format`, `jpeg_quality` and `webp_lossless`; check the format with `checked_format` before.
    """
    existing: dict[str, Any] = {str(key): value for key, value in image.info.items() if isinstance(value, str)}
    infotext = existing.pop("parameters", None)
    content = encode(
        image,
        checked_format(settings),
        infotext if with_infotext else None,
        existing=existing,
        encoding=Encoding.from_settings(settings),
    )
    return base64.b64encode(content).decode("ascii")


def checked_format(settings: Any) -> str:
    """The format of pictures in answers. Raises HTTPException 422 when the setting names one that cannot be sent."""
    name = str(settings.samples_format).lower()
    if name not in FORMATS_OUT:
        raise HTTPException(422, f"Invalid image format: setting 'samples_format' is '{name}'; the API sends {', '.join(FORMATS_OUT)}")
    return name


def png_base64(image: Image.Image) -> str:
    """A preview as base64, quickly compressed."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _bad(field: str, problem: str) -> HTTPException:
    return HTTPException(422, f"{field}: {problem}")
