"""Cutting pictures to a size: pieces of an oversized one, the best fitting size, the part worth keeping (generation.md §10.8)."""

from __future__ import annotations

import math
from typing import Literal

from PIL import Image

from modules.enhance.errors import BadStep

Objective = Literal["Maximize area", "Minimize error"]
LARGEST_SIDE = 8192
SIDE_STEP = 64
MOST_PIECES = 1000
LANCZOS = Image.Resampling.LANCZOS


def fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """The middle of the picture in the frame; where it is smaller the frame is black."""
    frame = Image.new("RGB", (width, height))
    frame.paste(image, (width // 2 - image.width // 2, height // 2 - image.height // 2))
    return frame


def limited(width: float, height: float, limit: int) -> tuple[int, int]:
    """The size with its longer side brought to `limit`."""
    if height > width:
        return int(limit * width // height), limit
    return limit, int(limit * height // width)


def split_oversized(image: Image.Image, width: int, height: int, *, threshold: float, overlap: float) -> list[Image.Image]:
    """Pieces of `width` x `height` along the longer side of a picture that is much longer than the frame; else the picture alone.

    Split where (short side / long side) relative to the frame's is at most `threshold`; pieces share at least `overlap` of
    their length. Raises BadStep for an overlap outside 0…1.
    """
    if not 0 <= overlap < 1:
        raise BadStep(f"overlap_ratio: must be at least 0 and less than 1, not {overlap}")
    portrait = image.height > image.width
    ratio = image.width * height / (image.height * width)
    ratio = ratio if portrait else 1 / ratio
    if ratio >= 1 or ratio > threshold:
        return [image]
    length = image.height * width // image.width if portrait else image.width * height // image.height
    piece = height if portrait else width
    resized = image.resize((width, length) if portrait else (length, height))
    count = max(2, math.ceil((length - piece * overlap) / (piece * (1 - overlap))))
    if count > MOST_PIECES:
        raise BadStep(f"overlap_ratio: {overlap} makes {count} pieces of one picture; take a smaller overlap")
    step = (length - piece) / (count - 1)
    starts = [int(step * index) for index in range(count)]
    if portrait:
        return [resized.crop((0, start, width, start + height)) for start in starts]
    return [resized.crop((start, 0, start + width, height)) for start in starts]


def best_size(
    image: Image.Image, *, smallest: int, largest: int, min_area: int, max_area: int, objective: Objective, threshold: float
) -> tuple[int, int] | None:
    """The size whose shape is close to the picture's: sides from `smallest` to `largest` in steps of 64, area within bounds.

    `threshold`: how far the shapes may differ, 0…1. None where no size fits. Raises BadStep for sides out of range.
    """
    if smallest < 1 or largest > LARGEST_SIDE:
        raise BadStep(f"mindim, maxdim: sides must lie in 1…{LARGEST_SIDE}, not {smallest}…{largest}")

    def error(width: int, height: int) -> float:
        quotient = image.width / image.height / (width / height)
        return 1 - min(quotient, 1 / quotient)

    sides = range(smallest, largest + 1, SIDE_STEP)
    fitting = [(w, h) for w in sides for h in sides if min_area <= w * h <= max_area and error(w, h) <= threshold]
    if not fitting:
        return None
    if objective == "Maximize area":
        return max(fitting, key=lambda size: (size[0] * size[1], -error(*size)))
    return max(fitting, key=lambda size: (-error(*size), size[0] * size[1]))


def center_crop(image: Image.Image, width: int, height: int) -> Image.Image:
    """The largest middle part of the shape, as `width` x `height` pixels by Lanczos."""
    if image.height / height < image.width / width:
        cut = (image.width - width * image.height / height) / 2
        box = (cut, 0.0, image.width - cut, float(image.height))
    else:
        cut = (image.height - height * image.width / width) / 2
        box = (0.0, cut, float(image.width), image.height - cut)
    return image.resize((width, height), LANCZOS, box)
