"""Where infotext lives inside picture files: writing and reading it (generation.md §8.5, §8.6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

EXIF_IFD = 0x8769
USER_COMMENT = 0x9286
EXIF_LIMIT = 65_000
"""JPEG keeps EXIF in one segment of 64 KiB; a longer text does not fit."""

HIDDEN_ITEMS = frozenset(
    ("jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "exif", "loop", "background", "timestamp", "duration")
    + ("progressive", "progression", "icc_profile", "chromaticity", "photoshop")
)
"""Entries of `Image.info` that describe the file and say nothing about how it was made."""

_CODES = {b"ASCII\0\0\0": "ascii", b"JIS\0\0\0\0\0": "shift_jis"}


def png_info(infotext: str | None, chunk: str = "parameters", existing: Mapping[str, Any] | None = None) -> PngInfo:
    """PNG text chunks: the existing ones, then the infotext under `chunk`."""
    info = PngInfo()
    for key, value in {**(existing or {}), **({chunk: infotext} if infotext is not None else {})}.items():
        if isinstance(value, str) and 0 < len(key) < 80 and key.isascii():
            info.add_text(key, _encodable(value))
    return info


def exif_with_comment(infotext: str) -> bytes:
    """EXIF data with the infotext as a UserComment in big-endian UTF-16, as piexif writes it."""
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = b"UNICODE\0" + _encodable(infotext).encode("utf-16-be")
    return exif.tobytes()


def read_info_from_image(image: Image.Image, sampler_labels: Mapping[str, str] | None = None) -> tuple[str | None, dict[str, Any]]:
    """The infotext inside a picture (None if it has none) and its other entries, as values JSON can hold.

    `sampler_labels` maps lower-case sampler aliases to labels; it is needed for NovelAI's pictures only.
    """
    items = {key: _plain(value) for key, value in image.info.items() if isinstance(key, str) and key not in HIDDEN_ITEMS}
    infotext = items.pop("parameters", None)
    if comment := _user_comment(image):
        infotext = comment
    elif infotext is None and image.format == "GIF":
        infotext = items.pop("comment", None)
    if items.get("Software") == "NovelAI":
        infotext = _novelai(items, image.size, sampler_labels or {}) or infotext
    return (None if infotext is None else str(infotext)), items


def _encodable(text: str) -> str:
    """The text without lone surrogates, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "ignore")
    return value if isinstance(value, str | int | float | bool) else str(value)


def _user_comment(image: Image.Image) -> str:
    try:
        comment = image.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT, b"")
    except Exception:  # EXIF written by anyone: Pillow's reader raises nearly everything on a broken one
        return ""
    return _decoded(comment) if isinstance(comment, bytes) else str(comment or "")


def _decoded(comment: bytes) -> str:
    code, body = comment[:8], comment[8:]
    try:
        if code == b"UNICODE\0":
            return body.decode(_utf16(body)).strip("\0")
        if code in _CODES:
            return body.decode(_CODES[code]).strip("\0")
    except UnicodeDecodeError:
        pass
    return (body if code in (b"\0" * 8, *_CODES, b"UNICODE\0") else comment).decode("utf-8", "ignore").strip("\0")


def _utf16(body: bytes) -> str:
    """Byte order by where the zero bytes of the Latin letters are; big-endian if in doubt."""
    return "utf-16-le" if body[1::2].count(0) > body[0::2].count(0) else "utf-16-be"


def _novelai(items: Mapping[str, Any], size: tuple[int, int], labels: Mapping[str, str]) -> str | None:
    try:
        comment = json.loads(items["Comment"])
        sampler = labels.get(str(comment["sampler"]).lower(), "Euler a")
        return (
            f"{items['Description']}\nNegative prompt: {comment['uc']}\n"
            f"Steps: {comment['steps']}, Sampler: {sampler}, CFG scale: {comment['scale']}, Seed: {comment['seed']}, "
            f"Size: {size[0]}x{size[1]}, Clip skip: 2, ENSD: 31337"
        )
    except (KeyError, ValueError, TypeError):
        return None
