"""Cropping to where something is: corners, detail and faces pull the frame (generation.md §10.8 of the reference)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

log = logging.getLogger(__name__)

MOST_CORNERS = 100
CORNER_QUALITY = 0.04
CORNER_DISTANCE = 0.06
BLANKED_BOTTOM = 0.1
"""Part of the height in which watermarks are, and corners do not count."""
ENTROPY_STEP = 4
FACE_SCORE, FACE_OVERLAP, MOST_FACES = 0.9, 0.3, 5000
FACE_HEIGHT = 0.33


@dataclass(frozen=True)
class Weights:
    """How strongly each sort of point pulls, 0…1; 0 leaves it out."""

    face: float = 0.9
    entropy: float = 0.15
    corners: float = 0.5


@dataclass(frozen=True)
class Pull:
    """Where one sort of points lies on average, with what weight, and the colour it is drawn in."""

    x: float
    y: float
    weight: float
    color: str


def focal_crop(image: Image.Image, width: int, height: int, weights: Weights, detector: Path | None) -> tuple[Image.Image, Image.Image]:
    """The frame `width` x `height` around the focus of the picture, scaled to cover it; and the whole picture with the focus drawn in.

    `detector` is a YuNet face detector (ONNX); without one faces do not count.
    """
    scale = max(width / image.width, height / image.height)
    scaled = image.convert("RGB").resize((max(width, int(image.width * scale)), max(height, int(image.height * scale))))
    pulls = [pull for pull in _pulls(scaled, width, height, weights, detector) if pull is not None]
    total = sum(pull.weight for pull in pulls)
    x = sum(pull.x * pull.weight for pull in pulls) / total if total else scaled.width / 2
    y = sum(pull.y * pull.weight for pull in pulls) / total if total else scaled.height / 2
    left = min(max(int(x) - width // 2, 0), scaled.width - width)
    top = min(max(int(y) - height // 2, 0), scaled.height - height)
    frame = (left, top, left + width, top + height)
    return scaled.crop(frame), _drawn(scaled, pulls, (x, y), frame)


def _pulls(image: Image.Image, width: int, height: int, weights: Weights, detector: Path | None) -> list[Pull | None]:
    return [
        _mean(corner_points(image), weights.corners, "blue") if weights.corners > 0 else None,
        _mean(entropy_points(image, width, height), weights.entropy, "yellow") if weights.entropy > 0 else None,
        _mean(face_points(image, detector), weights.face, "red") if weights.face > 0 else None,
    ]


def _mean(points: Sequence[tuple[float, float]], weight: float, color: str) -> Pull | None:
    if not points:
        return None
    return Pull(sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points), weight, color)


def corner_points(image: Image.Image) -> list[tuple[float, float]]:
    """Corners of the picture's content, those at its bottom left out."""
    import cv2

    grey = image.convert("L")
    bottom = int(grey.height * (1 - BLANKED_BOTTOM))
    ImageDraw.Draw(grey).rectangle((0, bottom, grey.width, grey.height), fill=0x99)
    found = cv2.goodFeaturesToTrack(np.asarray(grey), MOST_CORNERS, CORNER_QUALITY, min(grey.size) * CORNER_DISTANCE)
    return [] if found is None else [(float(x), float(y)) for x, y in found.reshape(-1, 2)]


def entropy_points(image: Image.Image, width: int, height: int) -> list[tuple[float, float]]:
    """The middle of the frame position with the most even mix of black and white, along the longer side; none in a square picture."""
    if image.width == image.height:
        return []
    sideways = image.width > image.height
    length, frame = (image.width, width) if sideways else (image.height, height)
    white = np.asarray(image.convert("1"), dtype=np.float64)
    best, best_entropy = 0, -1.0
    for start in range(0, max(length - frame, 0) + 1, ENTROPY_STEP):
        part = white[:height, start : start + frame] if sideways else white[start : start + frame, :width]
        entropy = _binary_entropy(float(part.mean()))
        if entropy > best_entropy:
            best, best_entropy = start, entropy
    middle = best + frame / 2
    return [(middle, height / 2) if sideways else (width / 2, middle)]


def _binary_entropy(share: float) -> float:
    return 0.0 if share in (0.0, 1.0) else float(-share * np.log2(share) - (1 - share) * np.log2(1 - share))


def face_points(image: Image.Image, detector: Path | None) -> list[tuple[float, float]]:
    """A point a third down each face."""
    if detector is None:
        return []
    found = yunet_faces(image, detector)
    return [(float(face[0] + face[2] / 2), float(face[1] + face[3] * FACE_HEIGHT)) for face in found]


def yunet_faces(image: Image.Image, detector: Path) -> Any:
    """Faces found by OpenCV's YuNet: rows of x, y, width, height, five landmarks (x, y) and a score."""
    import cv2

    network = cv2.FaceDetectorYN.create(str(detector), "", image.size, FACE_SCORE, FACE_OVERLAP, MOST_FACES)
    _, found = network.detect(np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1]))
    return np.zeros((0, 15), dtype=np.float32) if found is None else found


def _drawn(image: Image.Image, pulls: Sequence[Pull], focus: tuple[float, float], frame: tuple[int, int, int, int]) -> Image.Image:
    picture = image.copy()
    draw = ImageDraw.Draw(picture)
    radius = max(4, min(picture.size) * 0.03)
    for pull in pulls:
        size = radius * (0.5 + pull.weight)
        draw.ellipse((pull.x - size, pull.y - size, pull.x + size, pull.y + size), outline=pull.color, width=2)
    draw.rectangle((focus[0] - 3, focus[1] - 3, focus[0] + 3, focus[1] + 3), fill="green")
    draw.rectangle((frame[0], frame[1], frame[2] - 1, frame[3] - 1), outline="green")
    return picture
