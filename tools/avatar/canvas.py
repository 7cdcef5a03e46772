"""A small vector canvas: polygons, smooth blobs and strokes, anti-aliased by fractional coordinates and supersampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from tools.avatar.palette import Color, dark

Points = np.ndarray | Sequence[tuple[float, float]]
_FRACTION_BITS = 4
_SUPERSAMPLING = 2

cv2.setNumThreads(1)


def rotation_about(angle: float, cx: float, cy: float) -> np.ndarray:
    """The 3x3 matrix that turns by `angle` radians about a point."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin, cx - cos * cx + sin * cy], [sin, cos, cy - sin * cx - cos * cy], [0, 0, 1.0]])


@lru_cache(maxsize=8)
def _catmull_rom(steps: int) -> np.ndarray:
    t = np.arange(steps) / steps
    return 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], axis=1
    )


def smooth(points: Points, closed: bool = True, steps: int = 5) -> np.ndarray:
    """The Catmull-Rom curve through the points, `steps` segments between neighbours."""
    p = np.asarray(points, dtype=np.float64)
    ring = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    windows = np.stack([ring[i : len(ring) - 3 + i] for i in range(4)], axis=1)
    curve = np.einsum("sk,nkd->nsd", _catmull_rom(steps), windows).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, p[-1:]])


def ellipse(
    cx: float, cy: float, rx: float, ry: float | None = None, start: float = 0.0, end: float = 360.0, n: int = 28
) -> np.ndarray:
    """Points on an ellipse's arc, degrees clockwise from the right."""
    t = np.radians(np.linspace(start, end, n, endpoint=end - start < 360))
    return np.stack([cx + rx * np.cos(t), cy + (rx if ry is None else ry) * np.sin(t)], axis=1)


def mirrored(points: Points) -> np.ndarray:
    return np.asarray(points, dtype=np.float64) * (-1.0, 1.0)


def below(points: np.ndarray, y: float) -> np.ndarray:
    """The part of a polygon at or under height `y` (Sutherland-Hodgman, one edge)."""
    kept: list[tuple[float, float]] = []
    previous = points[-1]
    for point in points:
        if (point[1] >= y) != (previous[1] >= y):
            t = (y - previous[1]) / (point[1] - previous[1])
            kept.append((previous[0] + t * (point[0] - previous[0]), y))
        if point[1] >= y:
            kept.append((point[0], point[1]))
        previous = point
    return np.array(kept).reshape(-1, 2)


class Canvas:
    """An RGB picture of `size` x `size` pixels drawn in units set by `matrix` (unit coordinates to the 0..1 square)."""

    def __init__(self, size: int, background: Color) -> None:
        self.size = size
        self.side = size * _SUPERSAMPLING
        self.image = np.full((self.side, self.side, 3), background, np.uint8)
        self.matrix = np.eye(3)
        self.line_unit = self.side / 128

    def _pixels(self, points: Points) -> np.ndarray:
        p = np.asarray(points, dtype=np.float64)
        q = p @ self.matrix[:2, :2].T + self.matrix[:2, 2]
        return np.rint((q * self.side - 0.5) * (1 << _FRACTION_BITS)).astype(np.int32)

    def fill(
        self, points: Points, color: Color, *, alpha: float = 1.0, edge: Color | None = None, width: float = 1.0
    ) -> None:
        """A filled polygon, with an outline where `edge` is given (`width` in 1/128 of the side)."""
        if len(points) < 3:
            return
        pixels = self._pixels(points)
        if alpha < 1.0:
            layer = self.image.copy()
            cv2.fillPoly(layer, [pixels], color, cv2.LINE_AA, _FRACTION_BITS)
            cv2.addWeighted(layer, alpha, self.image, 1.0 - alpha, 0.0, dst=self.image)
        else:
            cv2.fillPoly(self.image, [pixels], color, cv2.LINE_AA, _FRACTION_BITS)
        if edge is not None:
            self._lines(pixels, edge, width, closed=True)

    def shape(self, points: Points, color: Color, width: float = 0.9) -> None:
        """A filled polygon with its own darker outline."""
        self.fill(points, color, edge=dark(color, 0.5), width=width)

    def line(self, points: Points, color: Color, width: float = 1.0, closed: bool = False) -> None:
        self._lines(self._pixels(points), color, width, closed)

    def _lines(self, pixels: np.ndarray, color: Color, width: float, closed: bool) -> None:
        thickness = max(1, round(width * self.line_unit))
        cv2.polylines(self.image, [pixels], closed, color, thickness, cv2.LINE_AA, _FRACTION_BITS)

    def gradient(self, top: Color, bottom: Color) -> None:
        """Fills the whole picture from one colour to another, top to bottom."""
        t = np.linspace(0.0, 1.0, self.side)[:, None, None]
        self.image[:] = (np.array(top) * (1 - t) + np.array(bottom) * t).astype(np.uint8)

    def finish(self) -> np.ndarray:
        """The picture, uint8 [size, size, 3], RGB."""
        return cv2.resize(self.image, (self.size, self.size), interpolation=cv2.INTER_AREA)
