"""Hair: fifteen styles, long or short, one or two colours. Units: the head's centre is (0, 0), the face's half width 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tools.avatar.canvas import Canvas, Points, below, ellipse, mirrored, smooth
from tools.avatar.palette import Color, dark, light

TIED = ("pony tail", "twin tail", "side pony tail", "drill", "hair bun", "double bun", "braid", "twin braids")


class Hair:
    """Draws one person's hair in two passes: `back` behind the head, `front` over the face."""

    def __init__(
        self, canvas: Canvas, style: str, length: str, color: Color, color2: Color | None, rng: np.random.Generator
    ) -> None:
        self.canvas, self.style, self.long = canvas, style, length == "long"
        self.color, self.color2, self.rng = color, color2, rng
        self.split = float(rng.uniform(-0.35, 0.1))
        self.side = 1.0 if rng.random() < 0.5 else -1.0
        self.volume = float(rng.uniform(0.97, 1.06))
        self.tie: Color = ((220, 40, 60), (60, 90, 220), (250, 250, 250), (40, 40, 40))[int(rng.integers(4))]
        self.fringe = ("parted", "swept", "spiky")[int(rng.integers(3))]

    def part(self, points: Points, width: float = 0.9, split: float | None = None) -> None:
        """One lock: filled and outlined; below the split line in the second colour, where there is one."""
        p = np.asarray(points, dtype=np.float64) * (self.volume, 1.0)
        self.canvas.fill(p, self.color)
        outline = dark(self.color, 0.5)
        if self.color2 is not None:
            self.canvas.fill(below(p, self.split if split is None else split), self.color2)
        self.canvas.fill(p[:0], self.color)
        self.canvas.line(p, outline, width, closed=True)

    def strand(self, points: Points, width: float = 0.8) -> None:
        p = np.asarray(points, dtype=np.float64) * (self.volume, 1.0)
        self.canvas.line(
            p, dark(self.color2 if self.color2 is not None and p[0, 1] > self.split else self.color, 0.3), width
        )

    def both(self, draw: Callable[[float], None]) -> None:
        draw(-1.0)
        draw(1.0)

    def back(self) -> None:
        """What hangs behind head and shoulders."""
        bottom = 2.25 if self.long else 0.98
        bottom += float(self.rng.uniform(-0.12, 0.12))
        name = self.style
        if name in TIED or name == "swept back" and not self.long:
            self.part(ellipse(0, -0.1, 1.2, 1.2, n=36))
        if name in ("straight", "hime cut"):
            self._curtain(bottom, flare=0.0 if name == "hime cut" else 0.12)
        elif name == "wavy":
            self._waves(bottom)
        elif name == "curly":
            self._curls(bottom)
        elif name == "messy":
            self._spikes(bottom)
        elif name == "dreadlocks":
            self._dreads(bottom)
        elif name == "swept back" and self.long:
            self.part(
                smooth(
                    [
                        (-1.1, -0.9),
                        (0, -1.42),
                        (1.1, -0.9),
                        (1.3, 0.2),
                        (1.0, bottom - 0.3),
                        (0.0, bottom + 0.3),
                        (-1.0, bottom - 0.3),
                        (-1.3, 0.2),
                    ]
                )
            )
        elif name == "pony tail":
            self._pony()
        elif name == "twin tail":
            self.both(self._twin)
        elif name == "hair bun":
            self._bun(0.0, -1.45, 0.56 if self.long else 0.46)
        elif name == "double bun":
            self.both(lambda s: self._bun(s * 0.95, -1.1, 0.5 if self.long else 0.4))

    def front(self) -> None:
        """Fringe, side locks and whatever hangs in front of the shoulders."""
        name = self.style
        if name == "hime cut":
            self.both(
                lambda s: self.part(
                    np.array([(0.78, -0.75), (1.2, -0.6), (1.22, 0.78), (0.84, 0.78), (0.86, -0.1)]) * (s, 1)
                )
            )
            self._fringe_blunt()
        elif name == "swept back":
            self._fringe_back()
        elif name == "curly":
            self._fringe_curls()
        elif name == "messy":
            self._fringe_zigzag(7, 0.42)
        elif name == "dreadlocks":
            self._fringe_back()
        elif name == "straight":
            self._fringe_parted()
            self.both(
                lambda s: self.part(
                    np.array([(0.9, -0.6), (1.18, -0.5), (1.2, 1.0), (1.02, 1.15), (0.95, 0.3)]) * (s, 1)
                )
            )
        elif name == "wavy":
            self._fringe_swept()
            self.both(
                lambda s: self.part(
                    smooth(
                        np.array(
                            [(0.9, -0.6), (1.2, -0.3), (1.08, 0.2), (1.3, 0.6), (1.12, 1.1), (0.96, 0.7), (1.02, 0.3)]
                        )
                        * (s, 1)
                    )
                )
            )
        else:
            {"parted": self._fringe_parted, "swept": self._fringe_swept, "spiky": lambda: self._fringe_zigzag(5, 0.28)}[
                self.fringe
            ]()
        if name == "side pony tail":
            self._side_pony()
        elif name == "drill":
            self.both(self._drill)
        elif name == "braid":
            self._braid(self.side * 0.95, 0.75)
        elif name == "twin braids":
            self.both(lambda s: self._braid(s * 1.12, 0.6))
        elif name == "hair bun":
            self._bun_tie(0.0, -1.12, 0.42)
        self._shine()

    # --- shapes -------------------------------------------------------------------------------------------------

    def _curtain(self, bottom: float, flare: float) -> None:
        w = 1.24 + (0.1 if self.long else 0.0)
        top = ellipse(0, -0.15, 1.22, 1.2, 180, 360, n=20)
        self.part(
            np.concatenate(
                [
                    top,
                    [(w + flare, bottom), (w * 0.4, bottom + flare), (-w * 0.4, bottom + flare), (-w - flare, bottom)],
                ]
            )
        )
        if self.long:
            self.both(lambda s: self.strand([(s * 1.05, 0.9), (s * 1.08, bottom - 0.1)]))

    def _waves(self, bottom: float) -> None:
        y = np.arange(-0.2, bottom, 0.14)
        phase = float(self.rng.uniform(-0.4, 0.4))
        right = np.stack([1.3 + 0.12 * (y > 0.5) + 0.17 * np.sin(y * 6.0 + phase), y], axis=1)
        self.part(
            np.concatenate(
                [
                    ellipse(0, -0.2, 1.22, 1.18, 180, 360, n=18),
                    right,
                    smooth(
                        [(1.1, bottom), (0.5, bottom + 0.2), (0, bottom), (-0.5, bottom + 0.2), (-1.1, bottom)],
                        closed=False,
                    ),
                    mirrored(right)[::-1],
                ]
            )
        )

    def _curls(self, bottom: float) -> None:
        ring = [(1.32 * np.cos(a), -0.2 + 1.28 * np.sin(a)) for a in np.linspace(np.pi * 0.98, np.pi * 2.02, 9)]
        sides = [
            (s * (1.36 + 0.1 * (i % 2)), 0.12 + 0.42 * i)
            for s in (-1, 1)
            for i in range(int((bottom - 0.1) / 0.42) + 1)
        ]
        if self.long:
            self.part(np.array([(-1.3, -0.2), (1.3, -0.2), (1.3, bottom), (-1.3, bottom)]), 0.5)
        for x, y in ring + sides:
            self.part(ellipse(x, y, 0.37 * float(self.rng.uniform(0.92, 1.1)), n=14))
        self.canvas.fill(ellipse(0, -0.1, 1.25, 1.2), self.color)

    def _spikes(self, bottom: float) -> None:
        points: list[tuple[float, float]] = []
        reach = 0.42
        for i, a in enumerate(np.linspace(np.pi * 0.86, np.pi * 2.14, 25)):
            r = 1.14 + (reach * float(self.rng.uniform(0.75, 1.25)) if i % 2 else 0.0)
            points.append((r * np.cos(a), -0.15 + r * np.sin(a)))
        low = np.linspace(1.2, -1.2, 11)
        points += [
            (x * (1.15 if self.long else 1.0), bottom + (0.2 if i % 2 else -0.22) - 0.1 * abs(x))
            for i, x in enumerate(low)
        ]
        if self.long:
            points.insert(25, (1.62, 1.0))
            points.insert(26, (1.25, 1.1))
            points += [(-1.25, 1.1), (-1.62, 1.0)]
        self.part(np.array(points))

    def _dreads(self, bottom: float) -> None:
        self.part(ellipse(0, -0.15, 1.2, 1.18))
        for i, x in enumerate((-1.42, 1.42, -1.12, 1.12, -0.8, 0.8)):
            end = bottom - (0.3 if i < 2 else 0.0) + float(self.rng.uniform(-0.1, 0.1))
            top = -0.55 if i < 2 else -0.2
            lean = 0.1 * np.sign(x)
            self.part(
                smooth(
                    [
                        (x * 0.86 - 0.17, top),
                        (x * 0.86 + 0.17, top),
                        (x + lean + 0.19, end - 0.2),
                        (x + lean, end),
                        (x + lean - 0.19, end - 0.2),
                    ]
                ),
                1.2,
            )
            for y in np.arange(0.1, end - 0.15, 0.3):
                px = x * 0.86 + (x + lean - x * 0.86) * (y - top) / (end - top)
                self.canvas.line([(px - 0.17, y), (px + 0.17, y + 0.06)], dark(self.color, 0.55), 1.5)

    def _pony(self) -> None:
        s, end = self.side, (2.0 if self.long else 0.55)
        self.part(
            smooth(
                [
                    (0.0, -1.1),
                    (-0.42 * s, -1.5),
                    (-0.1 * s, -1.86),
                    (0.7 * s, -1.8),
                    (1.4 * s, -1.2),
                    (1.72 * s, -0.1),
                    (1.66 * s, end * 0.6),
                    (1.3 * s, end),
                    (1.28 * s, end * 0.45),
                    (1.2 * s, -0.3),
                    (0.7 * s, -1.05),
                ]
            )
        )
        self.strand(smooth([(0.3 * s, -1.5), (1.1 * s, -1.1), (1.45 * s, -0.1), (1.45 * s, end * 0.6)], closed=False))
        self.canvas.shape(ellipse(0.02 * s, -1.24, 0.26, 0.13), self.tie)

    def _twin(self, s: float) -> None:
        end = 2.2 if self.long else 0.75
        self.part(
            smooth(
                [
                    (1.0 * s, -0.95),
                    (1.5 * s, -1.1),
                    (1.95 * s, -0.5),
                    (2.02 * s, end * 0.45),
                    (1.7 * s, end),
                    (1.5 * s, end * 0.55),
                    (1.35 * s, -0.1),
                ]
            )
        )
        self.strand(smooth([(1.4 * s, -0.7), (1.7 * s, -0.1), (1.72 * s, end * 0.6)], closed=False))
        self.canvas.shape(ellipse(1.08 * s, -0.85, 0.17, 0.2), self.tie)

    def _side_pony(self) -> None:
        s, end = self.side, (2.25 if self.long else 1.1)
        self.part(
            smooth(
                [
                    (1.1 * s, 0.0),
                    (1.5 * s, -0.25),
                    (1.95 * s, 0.2),
                    (1.95 * s, end * 0.6),
                    (1.5 * s, end),
                    (1.36 * s, end * 0.65),
                    (1.15 * s, 0.3),
                ]
            )
        )
        self.strand(smooth([(1.45 * s, 0.1), (1.65 * s, end * 0.4), (1.58 * s, end * 0.75)], closed=False))
        self.canvas.shape(ellipse(1.2 * s, 0.06, 0.2, 0.22), self.tie)

    def _drill(self, s: float) -> None:
        turns = 6 if self.long else 3
        for i in range(turns, -1, -1):
            y = -0.1 + i * 0.36
            w = 0.42 * (1.0 - 0.55 * i / turns)
            self.part(ellipse(s * 1.42, y, w, 0.25, n=20) + np.array([(0.0, 0.0)]), 1.2)
            self.strand([(s * 1.42 - w, y - 0.04), (s * 1.42 + w * 0.8, y + 0.16)], 1.0)

    def _bun(self, x: float, y: float, r: float) -> None:
        self.part(ellipse(x, y, r), 1.1)
        self.strand(ellipse(x, y, r * 0.55, start=150, end=400), 0.9)

    def _bun_tie(self, x: float, y: float, r: float) -> None:
        self.canvas.line(ellipse(x, y - 0.12, r, 0.18, 20, 160, n=10), self.tie, 2.4)

    def _braid(self, x: float, top: float) -> None:
        end = 2.3 if self.long else 1.25
        n = int((end - top) / 0.27)
        for i in range(n):
            y = top + 0.27 * i
            for k in (-1, 1):
                lobe = smooth(
                    [(x, y + 0.24), (x + k * 0.26, y + 0.1), (x + k * 0.3, y - 0.14), (x + k * 0.05, y - 0.04)]
                )
                self.part(lobe, 1.0)
        y = top + 0.27 * n
        self.canvas.shape(ellipse(x, y + 0.02, 0.18, 0.11), self.tie)
        self.part(
            smooth([(x - 0.13, y + 0.1), (x + 0.13, y + 0.1), (x + 0.2, y + 0.32), (x, y + 0.45), (x - 0.2, y + 0.32)])
        )

    # --- fringes ------------------------------------------------------------------------------------------------

    def _crown(self, reach: float = 0.1) -> np.ndarray:
        """The outer edge of the fringe: over the skull from the left temple to the right one."""
        return np.concatenate([[(-1.14, reach)], ellipse(0, -0.18, 1.18, 1.1, 188, 352, n=16), [(1.14, reach)]])

    def _fringe_blunt(self) -> None:
        edge = [(0.98, 0.1), (0.92, -0.26), (0.45, -0.22), (0.0, -0.2), (-0.45, -0.22), (-0.92, -0.26), (-0.98, 0.1)]
        self.part(np.concatenate([self._crown(), edge]), split=-0.5)
        for x in (-0.5, 0.0, 0.5):
            self.strand([(x, -0.6), (x, -0.26)])

    def _fringe_zigzag(self, teeth: int, depth: float) -> None:
        x = np.linspace(0.95, -0.95, 2 * teeth + 1)
        jig = self.rng.uniform(-0.06, 0.06, len(x))
        y = -0.5 + np.where(np.arange(len(x)) % 2 == 1, depth, 0.0) + 0.25 * np.abs(x) ** 3 + jig
        self.part(np.concatenate([self._crown(0.2), np.stack([x, y], axis=1)]), split=-0.55)

    def _fringe_parted(self) -> None:
        m = 0.22 * self.side
        edge = [
            (0.96, 0.25),
            (0.86, -0.25),
            (0.5, -0.18),
            (0.45, -0.5),
            (m, -0.86),
            (-0.45, -0.5),
            (-0.5, -0.18),
            (-0.86, -0.25),
            (-0.96, 0.25),
        ]
        self.part(np.concatenate([self._crown(0.3), edge]), split=-0.55)

    def _fringe_swept(self) -> None:
        edge = smooth([(0.98, 0.15), (0.78, -0.42), (0.2, -0.48), (-0.4, -0.22), (-0.95, 0.25)], closed=False)
        self.part(np.concatenate([self._crown(0.25), edge]) * (self.side, 1.0), split=-0.55)
        self.strand(smooth(np.array([(0.7, -1.0), (0.2, -0.6), (-0.5, -0.4)]) * (self.side, 1), closed=False))

    def _fringe_back(self) -> None:
        edge = smooth(
            [(1.0, -0.05), (0.88, -0.5), (0.45, -0.72), (0.0, -0.66), (-0.45, -0.72), (-0.88, -0.5), (-1.0, -0.05)],
            closed=False,
        )
        self.part(np.concatenate([self._crown(0.0), edge]), split=-0.8)
        for x in (-0.55, 0.0, 0.55):
            self.strand([(x * 0.8, -0.72), (x * 1.1, -1.15)])

    def _fringe_curls(self) -> None:
        self.part(
            np.concatenate(
                [
                    self._crown(0.0),
                    smooth([(1.0, -0.1), (0.6, -0.55), (0, -0.6), (-0.6, -0.55), (-1.0, -0.1)], closed=False),
                ]
            ),
            split=-0.8,
        )
        for x in (-0.9, -0.55, -0.18, 0.18, 0.55, 0.9):
            self.part(ellipse(x, -0.5 + 0.18 * abs(x), 0.27, n=14))

    def _shine(self) -> None:
        x = -0.45 * self.side
        self.canvas.line(
            smooth([(x - 0.35, -0.88), (x, -1.0), (x + 0.35, -0.95)], closed=False), light(self.color, 0.45), 1.8
        )
