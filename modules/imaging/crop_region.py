"""The part of a picture around its mask, for drawing "only masked" (generation.md §6.4 of the reference)."""

from __future__ import annotations

from PIL import Image

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""


def crop_region(mask: Image.Image, padding: int = 0) -> Box | None:
    """The box around all non-zero pixels with `padding` pixels on each side, inside the picture; None for an empty mask."""
    box = mask.getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    return max(left - padding, 0), max(top - padding, 0), min(right + padding, mask.width), min(bottom + padding, mask.height)


def expand_crop_region(box: Box, width: int, height: int, image_width: int, image_height: int) -> Box:
    """The box grown to the aspect ratio of `width` x `height` as far as the picture of `image_*` pixels allows."""
    left, top, right, bottom = box
    ratio, wanted = (right - left) / (bottom - top), width / height
    if ratio > wanted:
        missing = int((right - left) / wanted - (bottom - top))
        top, bottom = _grown(top, bottom, missing, image_height)
    else:
        missing = int((bottom - top) * wanted - (right - left))
        left, right = _grown(left, right, missing, image_width)
    return left, top, right, bottom


def _grown(start: int, end: int, missing: int, limit: int) -> tuple[int, int]:
    """An interval longer by `missing`, half on each side, pushed back inside 0..limit and then cut."""
    start -= missing // 2
    end += missing - missing // 2
    if end >= limit:
        start, end = start - (end - limit), limit
    if start < 0:
        start, end = 0, end - start
    return start, min(end, limit)
