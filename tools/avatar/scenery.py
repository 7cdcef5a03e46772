"""Landscapes without people: six places by day, by night and at sunset."""

from __future__ import annotations

import numpy as np

from tools.avatar.attributes import Landscape
from tools.avatar.canvas import Canvas, ellipse, smooth
from tools.avatar.palette import Color, dark, jitter, light, mix

_SKIES: dict[str, tuple[Color, Color]] = {
    "day": ((74, 154, 240), (206, 234, 252)),
    "night": ((14, 16, 52), (52, 54, 118)),
    "sunset": ((112, 62, 140), (254, 152, 72)),
}
_TINTS: dict[str, tuple[Color, float]] = {
    "day": ((255, 255, 255), 0.0),
    "night": ((18, 20, 62), 0.62),
    "sunset": ((236, 104, 60), 0.34),
}


class Scenery:
    """Paints one landscape on the canvas; coordinates are the 0..1 square."""

    def __init__(self, canvas: Canvas, landscape: Landscape, rng: np.random.Generator) -> None:
        self.canvas, self.place, self.time, self.rng = canvas, landscape.place, landscape.time, rng

    def lit(self, color: Color) -> Color:
        tint, amount = _TINTS[self.time]
        return mix(jitter(color, self.rng, 5.0), tint, amount)

    def draw(self) -> None:
        top, bottom = _SKIES[self.time]
        self.canvas.gradient(jitter(top, self.rng), jitter(bottom, self.rng))
        horizon = float(self.rng.uniform(0.5, 0.64))
        self._lights(horizon)
        if self.time != "night":
            self._clouds(5 if self.place == "sky" else 2, 0.85 if self.place == "sky" else horizon - 0.1)
        getattr(self, "_" + self.place)(horizon)

    def _lights(self, horizon: float) -> None:
        x, y = float(self.rng.uniform(0.2, 0.8)), float(self.rng.uniform(0.12, 0.25))
        if self.time == "night":
            for sx, sy in self.rng.uniform((0, 0), (1, 0.6), (26, 2)):
                self.canvas.fill(ellipse(sx, sy, 0.007, n=6), (240, 240, 255))
            self.canvas.fill(ellipse(x, y, 0.085), (252, 246, 206))
            self.canvas.fill(ellipse(x + 0.035, y - 0.015, 0.07), jitter(_SKIES["night"][0], self.rng, 2))
        elif self.time == "sunset":
            self.canvas.fill(ellipse(x, horizon - 0.08, 0.16), (255, 206, 110))
            self.canvas.fill(ellipse(x, horizon - 0.08, 0.12), (255, 236, 160))
        else:
            self.canvas.fill(ellipse(x, y, 0.09), (255, 240, 130))

    def _clouds(self, count: int, low: float) -> None:
        color: Color = (255, 255, 255) if self.time == "day" else (255, 190, 150)
        for x, y in self.rng.uniform((0.0, 0.1), (1.0, max(low, 0.2)), (count, 2)):
            for dx, r in ((-0.11, 0.055), (-0.04, 0.085), (0.05, 0.075), (0.12, 0.05)):
                self.canvas.fill(ellipse(x + dx, y - r * 0.4, r, r * 0.8, n=16), color)
            self.canvas.fill(
                np.array([(x - 0.16, y - 0.03), (x + 0.16, y - 0.03), (x + 0.15, y + 0.03), (x - 0.15, y + 0.03)]),
                color,
            )

    def _ridge(self, base: float, height: float, color: Color, rough: float = 1.0) -> None:
        x = np.linspace(-0.05, 1.05, 12)
        y = base - height * self.rng.uniform(0.2, 1.0, 12) * rough
        self.canvas.fill(
            np.concatenate([smooth(np.stack([x, y], 1), closed=False), [(1.05, 1.05), (-0.05, 1.05)]]), color
        )

    def _sky(self, horizon: float) -> None:
        self._ridge(0.99, 0.07, self.lit((120, 190, 120)))

    def _mountains(self, horizon: float) -> None:
        for x in self.rng.permutation(np.array([0.1, 0.38, 0.66, 0.94]))[:3]:
            peak, half = float(self.rng.uniform(0.2, 0.36)), float(self.rng.uniform(0.3, 0.4))
            rock = self.lit((112, 122, 150))
            base = 0.85
            self.canvas.shape(np.array([(x - half, base), (x, peak), (x + half, base)]), rock, 0.8)
            t = 0.3
            d, y = half * t, peak + (base - peak) * t
            cap = [(x - d, y), (x, peak), (x + d, y), (x + d * 0.4, y - 0.05), (x, y + 0.03), (x - d * 0.4, y - 0.05)]
            self.canvas.fill(np.array(cap), self.lit((250, 250, 255)))
        self._ridge(0.84, 0.08, self.lit((92, 160, 84)))

    def _sea(self, horizon: float) -> None:
        water = self.lit((34, 118, 196))
        self.canvas.fill(np.array([(-0.1, horizon), (1.1, horizon), (1.1, 1.1), (-0.1, 1.1)]), water)
        for y in np.linspace(horizon + 0.05, 0.84, 5):
            x = float(self.rng.uniform(0.0, 0.6))
            self.canvas.line([(x, y), (x + 0.3, y)], light(water, 0.4), 1.3)
        shore = float(self.rng.uniform(0.86, 0.92))
        self.canvas.fill(
            np.concatenate(
                [
                    smooth(
                        [(-0.1, shore), (0.3, shore - 0.03), (0.7, shore + 0.02), (1.1, shore - 0.02)], closed=False
                    ),
                    [(1.1, 1.1), (-0.1, 1.1)],
                ]
            ),
            self.lit((240, 216, 158)),
            edge=light(water, 0.8),
            width=1.6,
        )

    def _forest(self, horizon: float) -> None:
        self.canvas.fill(np.array([(-0.1, 0.8), (1.1, 0.8), (1.1, 1.1), (-0.1, 1.1)]), self.lit((84, 150, 66)))
        for row, size in ((0.84, 0.36), (0.94, 0.5)):
            for x in np.linspace(0, 1, 5) + self.rng.uniform(-0.07, 0.07, 5):
                self._pine(
                    float(x),
                    row + float(self.rng.uniform(-0.02, 0.03)),
                    size * float(self.rng.uniform(0.85, 1.2)),
                    self.lit((30, 112, 60)),
                )

    def _pine(self, x: float, base: float, height: float, color: Color) -> None:
        self.canvas.fill(
            np.array([(x - 0.02, base - 0.08), (x + 0.02, base - 0.08), (x + 0.02, base), (x - 0.02, base)]),
            self.lit((104, 68, 40)),
        )
        for i in range(3):
            w, top = height * (0.3 - 0.07 * i), base - 0.06 - height * (0.25 + 0.28 * i) - height * 0.12
            self.canvas.shape(
                np.array([(x - w, top + height * 0.36), (x, top), (x + w, top + height * 0.36)]), color, 0.7
            )

    def _city(self, horizon: float) -> None:
        for row, tone in ((0, (150, 160, 186)), (1, (92, 100, 130))):
            x = -0.05 + 0.04 * row
            while x < 1.0:
                w, top = float(self.rng.uniform(0.13, 0.2)), float(self.rng.uniform(0.24, 0.52)) + 0.16 * row
                wall = self.lit(tone)
                self.canvas.shape(np.array([(x, top), (x + w, top), (x + w, 1.0), (x, 1.0)]), wall, 0.8)
                self._windows(x, w, top, wall)
                x += w + 0.01
        self.canvas.fill(np.array([(-0.1, 0.93), (1.1, 0.93), (1.1, 1.1), (-0.1, 1.1)]), self.lit((70, 72, 84)))

    def _windows(self, x: float, w: float, top: float, wall: Color) -> None:
        glow: Color = (255, 226, 110) if self.time != "day" else (222, 240, 255)
        for row in np.arange(top + 0.04, 0.88, 0.075):
            for column in (0.2, 0.6):
                if self.rng.random() < 0.75:
                    left = x + w * column
                    self.canvas.fill(
                        np.array(
                            [(left, row), (left + w * 0.22, row), (left + w * 0.22, row + 0.04), (left, row + 0.04)]
                        ),
                        glow,
                    )

    def _snow(self, horizon: float) -> None:
        snow = self.lit((246, 250, 255))
        self._ridge(horizon + 0.12, 0.12, dark(snow, 0.12))
        for x in self.rng.uniform(0.05, 0.95, 3):
            pine = (float(x), float(self.rng.uniform(0.78, 0.88)), float(self.rng.uniform(0.28, 0.4)))
            self._pine(*pine, self.lit((86, 140, 120)))
        self._ridge(0.9, 0.1, snow)
        for x, y in self.rng.uniform(0, 1, (34, 2)):
            self.canvas.fill(ellipse(x, y, 0.012, n=7), (255, 255, 255))
