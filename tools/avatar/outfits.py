"""Fifteen outfits, told apart by silhouette and large features. Units as for the face; the picture ends near y = 2.8."""

from __future__ import annotations

import numpy as np

from tools.avatar.attributes import Portrait
from tools.avatar.canvas import Canvas, Points, ellipse, mirrored, smooth
from tools.avatar.palette import CLOTH, INK, PAPER, Color, contrast, dark, jitter, light, mix

_BOTTOM = 3.3
_GOLD: Color = (244, 196, 48)
_JEANS: Color = (62, 88, 150)


class Outfit:
    """Draws one person's clothes in three passes: `behind` the hair, `body` over the back hair, `hat` over everything."""

    def __init__(self, canvas: Canvas, person: Portrait, skin: Color, rng: np.random.Generator) -> None:
        self.canvas, self.person, self.skin = canvas, person, skin
        self.color = jitter(CLOTH[person.cloth], rng)
        self.trim = contrast(person.cloth)
        self.shoulder = (1.3 if person.gender == "girl" else 1.52) * float(rng.uniform(0.95, 1.05))
        self.side = 1.0 if rng.random() < 0.5 else -1.0
        self.name = person.outfit

    def behind(self) -> None:
        canvas = self.canvas
        if self.name == "furry pajamas":
            for s in (-1, 1):
                canvas.shape(ellipse(s * 1.15, -1.3, 0.46), self.color)
                canvas.fill(ellipse(s * 1.15, -1.3, 0.24), light(self.color, 0.6))
            canvas.shape(ellipse(0, -0.05, 1.66, 1.6, n=40), self.color, 1.4)
        elif self.name == "wedding dress":
            veil = smooth([(-0.9, -1.25), (0, -1.6), (0.9, -1.25), (1.7, 0.2), (2.1, 2.9), (-2.1, 2.9), (-1.7, 0.2)])
            canvas.fill(veil, (255, 255, 255), alpha=0.8, edge=(206, 206, 224), width=1.0)
        elif self.name == "spacesuit":
            canvas.shape(np.array([(-1.5, 1.2), (1.5, 1.2), (1.5, 3.3), (-1.5, 3.3)]), (170, 174, 184))

    def body(self) -> None:
        """Neck, trunk and the outfit's own features."""
        self.canvas.fill(np.array([(-0.34, 0.8), (0.34, 0.8), (0.38, 1.5), (-0.38, 1.5)]), dark(self.skin, 0.14))
        getattr(self, "_" + self.name.replace(" ", "_"))()

    def hat(self) -> None:
        canvas, dome = self.canvas, ellipse(0, -0.5, 1.3, 1.05, 180, 360, n=18)
        if self.name == "overalls":
            canvas.shape(dome, (252, 204, 30), 1.3)
            canvas.shape(np.array([(-1.5, -0.6), (1.5, -0.6), (1.5, -0.4), (-1.5, -0.4)]), (252, 204, 30), 1.3)
            canvas.fill(np.array([(-0.14, -1.56), (0.14, -1.56), (0.14, -0.6), (-0.14, -0.6)]), (226, 168, 10))
        elif self.name == "police uniform":
            canvas.shape(
                smooth(
                    [
                        (-1.1, -0.75),
                        (-1.55, -1.25),
                        (-0.8, -1.62),
                        (0, -1.75),
                        (0.8, -1.62),
                        (1.55, -1.25),
                        (1.1, -0.75),
                    ]
                ),
                self.color,
                1.3,
            )
            canvas.shape(np.array([(-1.12, -0.85), (1.12, -0.85), (1.1, -0.58), (-1.1, -0.58)]), INK)
            canvas.fill(_star(0, -1.15, 0.3), _GOLD)
        elif self.name == "maid uniform":
            for x in np.linspace(-0.9, 0.9, 7):
                canvas.shape(ellipse(x, -1.3 + 0.32 * x * x, 0.2, n=12), PAPER, 0.7)
            canvas.line(ellipse(0, -0.1, 1.12, 1.06, 215, 325, n=14), self.color, 2.2)
        elif self.name == "military operator":
            canvas.line(ellipse(0, -0.05, 1.28, 1.38, 190, 350, n=18), (52, 58, 48), 3.0)
            for s in (-1, 1):
                canvas.shape(ellipse(s * 1.2, 0.15, 0.24, 0.36), (70, 78, 60), 1.2)
            canvas.line([(-1.15, 0.4), (-0.75, 0.86), (-0.4, 0.9)], (40, 40, 40), 1.7)
        elif self.name == "wedding dress":
            for x in (-0.66, -0.33, 0.0, 0.33, 0.66):
                canvas.fill(ellipse(x, -1.22 + 0.3 * x * x, 0.17, n=10), PAPER, edge=(216, 190, 210), width=0.7)
        elif self.name == "spacesuit":
            canvas.fill(
                ellipse(0, -0.15, 1.72, 1.68, n=40), (206, 232, 255), alpha=0.2, edge=(226, 238, 250), width=2.4
            )
            canvas.line(ellipse(0, -0.15, 1.5, 1.46, 195, 245, n=10), (255, 255, 255), 2.4)

    # --- parts --------------------------------------------------------------------------------------------------

    def _trunk(self, color: Color, width: float = 1.0, drop: float = 0.0, neck: float = 0.42) -> None:
        w = self.shoulder * width
        half = np.array([(neck, 1.2 + drop), (w * 0.72, 1.36 + drop), (w, 1.68 + drop), (w * 1.12, _BOTTOM)])
        self.canvas.shape(np.concatenate([half, mirrored(half)[::-1]]), color, 1.1)

    def _arms(self, color: Color | None = None) -> None:
        for s in (-1, 1):
            w = self.shoulder
            self.canvas.line([(s * w * 0.74, 2.05), (s * w * 0.78, _BOTTOM)], dark(color or self.color, 0.42), 1.2)

    def _pair(self, points: Points, color: Color, width: float = 0.9) -> None:
        self.canvas.shape(np.asarray(points, dtype=np.float64), color, width)
        self.canvas.shape(mirrored(points), color, width)

    def _kimono(self) -> None:
        self._trunk(self.color, 1.28)
        s = self.side
        for k in (-s, s):
            self.canvas.shape(
                np.array([(0.62, 1.1), (0.95, 1.24), (-0.1, 2.42), (-0.42, 2.3)]) * (k, 1), light(self.trim, 0.82), 1.0
            )
        self.canvas.fill(np.array([(-0.3, 1.2), (0.3, 1.2), (0, 1.72)]), self.skin)
        self.canvas.shape(np.array([(-1.15, 2.3), (1.15, 2.3), (1.15, _BOTTOM), (-1.15, _BOTTOM)]), self.trim, 1.2)
        self.canvas.shape(np.array([(-1.2, 2.52), (1.2, 2.52), (1.2, 2.64), (-1.2, 2.64)]), light(self.trim, 0.7), 0.7)
        for x, y in ((-1.45, 1.95), (1.4, 2.1), (-1.5, 2.55), (1.55, 2.65)):
            self.canvas.fill(ellipse(x, y, 0.15, n=8), light(self.color, 0.65))

    def _plate_armor(self) -> None:
        metal = mix(self.color, (188, 192, 204), 0.25)
        self._trunk(metal, 0.95)
        self.canvas.shape(np.array([(-0.6, 1.02), (0.6, 1.02), (0.75, 1.5), (-0.75, 1.5)]), dark(metal, 0.18), 1.2)
        self.canvas.fill(np.array([(-0.12, 1.5), (0.12, 1.5), (0.05, _BOTTOM), (-0.05, _BOTTOM)]), light(metal, 0.7))
        self.canvas.line(smooth([(-1.0, 2.3), (0, 2.62), (1.0, 2.3)], closed=False), dark(metal, 0.5), 1.6)
        for s in (-1, 1):
            for i, r in enumerate((0.68, 0.5, 0.3)):
                x = s * (self.shoulder + 0.12 + 0.05 * i)
                self.canvas.shape(
                    ellipse(x, 1.78 - 0.06 * i, r, r * 0.88), metal if i % 2 == 0 else light(metal, 0.4), 1.3
                )

    def _maid_uniform(self) -> None:
        self._trunk(self.color)
        for s in (-1, 1):
            self.canvas.shape(ellipse(s * self.shoulder * 0.98, 1.85, 0.46, 0.4), self.color, 1.1)
        apron = [(0.62, 1.75), (0.66, _BOTTOM), (-0.66, _BOTTOM), (-0.62, 1.75)]
        self.canvas.shape(np.array(apron), PAPER, 1.0)
        for s in (-1, 1):
            for y in (1.4, 1.62, 1.84, 2.06):
                self.canvas.shape(ellipse(s * (0.66 + 0.1 * (y - 1.3)), y, 0.2, 0.17, n=12), PAPER, 0.7)
        self._pair([(0.02, 1.24), (0.5, 1.16), (0.42, 1.52)], PAPER)
        self._bow(0, 1.5, 0.3, self.trim)

    def _school_uniform(self) -> None:
        self._trunk(PAPER)
        self._arms((150, 150, 160))
        collar = np.array(
            [(0.4, 1.16), (self.shoulder * 0.86, 1.34), (self.shoulder * 0.88, 2.0), (0.0, 2.36), (0.0, 1.95)]
        )
        self._pair(collar, self.color, 1.1)
        for k in (-1, 1):
            stripe = np.array([(self.shoulder * 0.74, 1.4), (self.shoulder * 0.74, 1.88), (0.04, 2.2)])
            self.canvas.line(
                stripe * (k, 1), PAPER if self.person.cloth not in ("white", "blonde") else (70, 90, 190), 1.0
            )
        self.canvas.fill(np.array([(-0.36, 1.2), (0.36, 1.2), (0, 1.9)]), self.skin)
        self._bow(0, 2.2, 0.42, self.trim)
        self._pair([(0.0, 2.25), (0.26, 2.85), (0.04, 2.8)], self.trim)

    def _hanbok(self) -> None:
        skirt = light(self.trim, 0.25)
        self._trunk(self.color, 1.12)
        self.canvas.shape(smooth([(-0.85, 2.16), (0, 2.1), (0.85, 2.16), (1.9, 3.6), (-1.9, 3.6)]), skirt, 1.2)
        self._arms()
        self.canvas.fill(np.array([(-0.34, 1.16), (0.34, 1.16), (0.04, 1.66)]), self.skin)
        self.canvas.line([(-0.44, 1.16), (0.06, 1.74), (0.3, 1.95)], (255, 255, 255), 3.0)
        self.canvas.line([(0.44, 1.16), (0.02, 1.7)], (255, 255, 255), 3.0)
        for k, end in ((-0.16, 3.2), (0.3, 2.9)):
            self.canvas.shape(
                np.array([(0.0, 1.85), (0.2, 1.8), (0.22 + k, end), (k - 0.06, end)]) * (self.side, 1),
                light(self.trim, 0.1),
                1.0,
            )
        self.canvas.shape(ellipse(0.3 * self.side, 1.84, 0.36, 0.12), light(self.trim, 0.1), 1.0)

    def _overalls(self) -> None:
        self._trunk((226, 228, 232) if self.person.cloth not in ("white", "gray") else (90, 110, 170))
        self._arms((150, 150, 160))
        self.canvas.shape(
            np.array([(-0.74, 1.92), (0.74, 1.92), (0.95, 2.5), (0.95, _BOTTOM), (-0.95, _BOTTOM), (-0.95, 2.5)]),
            self.color,
            1.3,
        )
        self._pair([(0.44, 1.2), (0.72, 1.26), (0.74, 2.0), (0.48, 2.0)], self.color, 1.1)
        self.canvas.shape(np.array([(-0.34, 2.2), (0.34, 2.2), (0.3, 2.6), (-0.3, 2.6)]), light(self.color, 0.2), 1.1)
        for s in (-1, 1):
            self.canvas.fill(ellipse(s * 0.6, 2.0, 0.12), _GOLD)

    def _shirt_jeans(self) -> None:
        self._trunk(self.skin)
        w = self.shoulder
        half = np.array(
            [(0.48, 1.22), (w * 0.72, 1.36), (w * 1.1, 1.72), (w * 1.12, 2.2), (w * 0.74, 2.24), (w * 0.72, 2.56)]
        )
        self.canvas.shape(np.concatenate([half, mirrored(half)[::-1]]), self.color, 1.2)
        self.canvas.shape(
            np.array([(-w * 0.7, 2.56), (w * 0.7, 2.56), (w * 0.7, _BOTTOM), (-w * 0.7, _BOTTOM)]), _JEANS, 1.1
        )
        self.canvas.fill(ellipse(0, 1.2, 0.42, 0.3, 0, 180, n=12), self.skin, edge=dark(self.color, 0.45), width=1.4)

    def _military_operator(self) -> None:
        base = mix(self.color, (104, 110, 74), 0.3)
        self._trunk(base, 1.05)
        for x, y, r in (
            (-1.25, 1.9, 0.24),
            (1.3, 2.1, 0.26),
            (-1.4, 2.5, 0.25),
            (1.0, 1.6, 0.18),
            (1.45, 2.6, 0.2),
            (-0.95, 1.55, 0.17),
        ):
            self.canvas.fill(
                smooth(np.array([(-1.2, 0), (-0.2, -0.7), (1.1, -0.3), (0.6, 0.7), (-0.4, 0.5)]) * r + (x, y), steps=4),
                dark(base, 0.45),
            )
        vest: Color = (66, 70, 58)
        self.canvas.shape(
            np.array(
                [
                    (-0.85, 1.42),
                    (-0.4, 1.36),
                    (-0.3, 1.7),
                    (0.3, 1.7),
                    (0.4, 1.36),
                    (0.85, 1.42),
                    (0.92, _BOTTOM),
                    (-0.92, _BOTTOM),
                ]
            ),
            vest,
            1.2,
        )
        for x in (-0.58, 0.0, 0.58):
            self.canvas.shape(
                np.array([(x - 0.24, 2.16), (x + 0.24, 2.16), (x + 0.24, 2.72), (x - 0.24, 2.72)]),
                light(vest, 0.2),
                1.1,
            )

    def _furry_pajamas(self) -> None:
        self._trunk(self.color, 1.12)
        belly = light(self.color, 0.72) if self.person.cloth not in ("white", "blonde") else (250, 206, 190)
        self.canvas.fill(ellipse(0, 2.6, 0.72, 0.95), belly)
        for a in np.linspace(0.12 * np.pi, 0.88 * np.pi, 9):
            self.canvas.shape(
                ellipse(1.25 * np.cos(a), 0.72 + 0.78 * np.sin(a), 0.21, n=12), light(self.color, 0.45), 0.7
            )
        for s in (-1, 1):
            self.canvas.shape(ellipse(s * 0.2, 1.86, 0.13, n=12), PAPER, 0.7)

    def _tuxedo(self) -> None:
        self._trunk(self.color)
        self.canvas.fill(np.array([(-0.5, 1.2), (0.5, 1.2), (0.12, 2.7), (-0.12, 2.7)]), (255, 255, 255))
        lapel = dark(self.color, 0.55) if self.person.cloth != "black" else (104, 104, 118)
        self._pair([(0.4, 1.16), (0.82, 1.36), (0.78, 1.82), (0.08, 2.72)], lapel, 1.0)
        self._pair([(0.02, 1.2), (0.46, 1.1), (0.34, 1.46)], (255, 255, 255))
        self._bow(0, 1.48, 0.34, INK)
        for y in (1.95, 2.3):
            self.canvas.fill(ellipse(0, y, 0.06), INK)
        self._arms()

    def _wedding_dress(self) -> None:
        self._trunk(self.skin, 0.92)
        gown = light(self.color, 0.45)
        top = [
            (-1.0, 2.1),
            (-0.5, 1.86),
            (0, 2.08),
            (0.5, 1.86),
            (1.0, 2.1),
            (0.85, 2.6),
            (1.1, _BOTTOM),
            (-1.1, _BOTTOM),
            (-0.85, 2.6),
        ]
        self.canvas.shape(np.array(top), gown, 1.1)
        for x in np.linspace(-0.9, 0.9, 7):
            self.canvas.fill(
                ellipse(x, 2.14 - 0.1 * abs(np.sin(x * 3)), 0.15, n=10),
                (255, 255, 255),
                edge=dark(gown, 0.2),
                width=0.6,
            )
        for x in np.linspace(-0.42, 0.42, 6):
            self.canvas.fill(
                ellipse(x, 1.46 + 0.12 * (1 - (x / 0.42) ** 2), 0.075, n=8),
                (255, 255, 255),
                edge=(190, 190, 205),
                width=0.5,
            )

    def _sweatsuit(self) -> None:
        self._trunk(self.color, 1.06)
        self._pair([(0.02, 1.55), (0.04, 1.12), (0.55, 1.02), (0.6, 1.42)], self.color, 1.2)
        self.canvas.line(
            [(0, 1.2), (0, _BOTTOM)], (236, 236, 240) if self.person.cloth != "white" else (90, 90, 110), 1.6
        )
        stripe: Color = (255, 255, 255) if self.person.cloth not in ("white", "blonde") else (60, 80, 180)
        for s in (-1, 1):
            for dx in (0.12, 0.3):
                self.canvas.line(
                    [
                        (s * (self.shoulder * 0.62 + dx), 1.42 + 0.25 * dx),
                        (s * (self.shoulder * 0.86 + dx), 2.0),
                        (s * (self.shoulder * 0.9 + dx), _BOTTOM),
                    ],
                    stripe,
                    1.8,
                )

    def _police_uniform(self) -> None:
        self._trunk(self.color, 1.05)
        self._arms()
        self._pair([(0.03, 1.26), (0.48, 1.1), (0.62, 1.42), (0.3, 1.66)], light(self.color, 0.25), 1.0)
        self.canvas.shape(np.array([(-0.12, 1.36), (0.12, 1.36), (0.2, 2.6), (0, 2.85), (-0.2, 2.6)]), INK, 0.9)
        self._pair(
            [
                (self.shoulder * 0.6, 1.34),
                (self.shoulder * 1.02, 1.56),
                (self.shoulder * 0.98, 1.74),
                (self.shoulder * 0.56, 1.5),
            ],
            _GOLD,
        )
        self.canvas.fill(_star(0.62, 2.12, 0.3), _GOLD, edge=dark(_GOLD), width=0.8)
        self.canvas.shape(
            np.array([(-0.86, 2.0), (-0.4, 2.0), (-0.4, 2.3), (-0.63, 2.42), (-0.86, 2.3)]), dark(self.color, 0.25)
        )

    def _spacesuit(self) -> None:
        self._trunk(self.color, 1.22)
        self.canvas.shape(ellipse(0, 1.4, 1.22, 0.36), (206, 210, 220), 1.4)
        self.canvas.fill(ellipse(0, 1.3, 0.95, 0.24), (120, 126, 142))
        self.canvas.fill(ellipse(0, 1.1, 0.4, 0.36), self.skin)
        self.canvas.shape(np.array([(-0.6, 2.0), (0.6, 2.0), (0.6, 2.6), (-0.6, 2.6)]), (232, 234, 240), 1.3)
        for x, color in ((-0.34, (230, 50, 50)), (0.0, (60, 200, 90)), (0.34, (60, 120, 240))):
            self.canvas.fill(ellipse(x, 2.24, 0.13, n=12), color)
        for s in (-1, 1):
            self.canvas.line([(s * 1.3, 2.3), (s * 1.75, 2.3)], (206, 210, 220), 3.0)

    def _trench_coat(self) -> None:
        self._trunk(self.color, 1.1)
        self.canvas.fill(np.array([(-0.3, 1.2), (0.3, 1.2), (0.0, 1.95)]), PAPER)
        self._pair([(0.3, 1.5), (0.5, 0.98), (0.95, 1.1), (1.02, 1.5), (0.62, 1.9)], self.color, 1.3)
        self._pair([(0.02, 2.02), (0.5, 1.4), (0.98, 1.72), (0.72, 1.96), (0.08, 2.4)], light(self.color, 0.14), 1.2)
        self.canvas.shape(np.array([(-1.3, 2.52), (1.3, 2.52), (1.3, 2.76), (-1.3, 2.76)]), dark(self.color, 0.42), 1.1)
        self.canvas.fill(np.array([(-0.2, 2.48), (0.2, 2.48), (0.2, 2.8), (-0.2, 2.8)]), _GOLD)
        for x in (-0.36, 0.36):
            self.canvas.fill(ellipse(x, 2.34, 0.1, n=10), dark(self.color, 0.7))

    def _bow(self, x: float, y: float, size: float, color: Color) -> None:
        for s in (-1, 1):
            self.canvas.shape(np.array([(0, 0), (s, -0.6), (s, 0.6)]) * size + (x, y), color, 0.9)
        self.canvas.shape(ellipse(x, y, size * 0.28, n=10), color, 0.7)


def _star(x: float, y: float, r: float) -> np.ndarray:
    t = np.arange(10) * np.pi / 5 - np.pi / 2
    radius = np.where(np.arange(10) % 2 == 0, r, r * 0.45)
    return np.stack([x + radius * np.cos(t), y + radius * np.sin(t)], axis=1)
