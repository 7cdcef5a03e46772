"""Props and traits: what is drawn behind the person, on the face and over the head. Units as for the face."""

from __future__ import annotations

import numpy as np

from tools.avatar.attributes import Portrait
from tools.avatar.canvas import Canvas, ellipse, mirrored, smooth
from tools.avatar.palette import INK, Color, dark, light, mix

_NEON: Color = (40, 240, 255)
_MAGENTA: Color = (255, 60, 200)
_GOLD: Color = (252, 208, 52)


class Props:
    """Draws one person's props and traits in the passes `behind`, `on_body`, `on_face` and `over`."""

    def __init__(self, canvas: Canvas, person: Portrait, hair: Color, rng: np.random.Generator) -> None:
        self.canvas, self.names, self.hair = canvas, (*person.props, *person.traits), hair
        self.color = ((222, 40, 70), (60, 110, 240), (250, 250, 250), (250, 200, 50), (40, 40, 50))[
            int(rng.integers(5))
        ]
        self.side = 1.0 if rng.random() < 0.5 else -1.0

    def behind(self) -> None:
        if "cyberpunk" in self.names:
            for y, color in ((-1.5, _NEON), (-0.6, _MAGENTA), (0.3, _NEON), (1.2, _MAGENTA)):
                self.canvas.line(
                    [(-2.6, y), (-1.9, y), (-1.7, y + 0.3), (1.7, y + 0.3), (1.9, y), (2.6, y)], color, 1.8
                )
        if "wings" in self.names:
            wing = np.array(
                [
                    (0.9, 1.9),
                    (1.5, 0.9),
                    (2.2, 0.35),
                    (2.45, 0.9),
                    (2.3, 1.3),
                    (2.35, 1.7),
                    (2.1, 1.9),
                    (2.1, 2.3),
                    (1.8, 2.3),
                    (1.2, 2.5),
                ]
            )
            for points in (wing, mirrored(wing)):
                self.canvas.fill(smooth(points), (255, 255, 255), edge=(150, 156, 186), width=1.2)
        if "furry" in self.names:
            self._ears(rounded=True)

    def on_body(self) -> None:
        if "choker" in self.names:
            self.canvas.fill(np.array([(-0.44, 1.08), (0.44, 1.08), (0.46, 1.28), (-0.46, 1.28)]), INK)
            self.canvas.fill(ellipse(0, 1.26, 0.12, n=12), _GOLD)
        if "gloves" in self.names:
            for s in (-1, 1):
                self.canvas.shape(
                    smooth(
                        np.array(
                            [
                                (0.9, 2.9),
                                (0.72, 2.3),
                                (0.8, 1.98),
                                (1.0, 1.95),
                                (1.12, 2.2),
                                (1.3, 2.1),
                                (1.36, 2.5),
                                (1.3, 2.9),
                            ]
                        )
                        * (s, 1)
                    ),
                    self.color,
                    1.3,
                )
                self.canvas.line([(s * 0.95, 2.02), (s * 0.98, 2.3)], dark(self.color, 0.5), 1.0)

    def on_face(self) -> None:
        if "cyberpunk" in self.names:
            for s in (-1, 1):
                self.canvas.line([(s * 0.95, 0.35), (s * 0.75, 0.62), (s * 0.55, 0.62), (s * 0.45, 0.86)], _NEON, 1.6)
                self.canvas.fill(ellipse(s * 1.12, 0.2, 0.2, 0.3), (50, 50, 64), edge=_MAGENTA, width=1.7)
        if "sunglasses" in self.names:
            for s in (-1, 1):
                lens = smooth(
                    np.array([(0.1, 0.0), (0.5, -0.06), (0.92, 0.0), (0.84, 0.42), (0.5, 0.52), (0.18, 0.4)]) * (s, 1)
                )
                self.canvas.fill(lens, (24, 24, 34), alpha=0.42, edge=(16, 16, 22), width=2.6)
            self.canvas.line([(-0.14, 0.06), (0.14, 0.06)], (16, 16, 22), 2.4)

    def over(self) -> None:
        if "earrings" in self.names:
            for s in (-1, 1):
                self.canvas.fill(ellipse(s * 1.08, 0.72, 0.15, 0.2, n=14), _GOLD, edge=dark(_GOLD, 0.5), width=0.9)
        if "cat ears" in self.names:
            self._ears(rounded=False)
        if "hair band" in self.names:
            self.canvas.line(ellipse(0, -0.1, 1.14, 0.98, 200, 340, n=18), dark(self.color, 0.5), 4.4)
            self.canvas.line(ellipse(0, -0.1, 1.14, 0.98, 200, 340, n=18), self.color, 3.2)
        if "hair ribbon" in self.names:
            x, y = 0.75 * self.side, -0.95
            for s in (-1, 1):
                self.canvas.shape(
                    smooth(np.array([(0, 0), (s * 0.55, -0.36), (s * 0.6, 0.3)]) + (x, y)), self.color, 1.2
                )
            self.canvas.shape(ellipse(x, y, 0.15, n=12), self.color, 1.0)
        if "fedora" in self.names:
            felt = mix(self.color, (60, 46, 40), 0.6)
            self.canvas.shape(
                smooth(
                    [(-0.9, -0.75), (-0.82, -1.5), (-0.3, -1.78), (0, -1.66), (0.3, -1.78), (0.82, -1.5), (0.9, -0.75)]
                ),
                felt,
                1.3,
            )
            self.canvas.fill(np.array([(-0.9, -1.0), (0.9, -1.0), (0.95, -0.74), (-0.95, -0.74)]), dark(felt, 0.6))
            self.canvas.shape(ellipse(0, -0.68, 1.62, 0.26), felt, 1.3)
        if "halo" in self.names:
            self.canvas.line(ellipse(0, -1.6, 0.82, 0.24, n=24), dark(_GOLD, 0.3), 4.0, closed=True)
            self.canvas.line(ellipse(0, -1.6, 0.82, 0.24, n=24), light(_GOLD, 0.3), 2.6, closed=True)

    def _ears(self, rounded: bool) -> None:
        for s in (-1, 1):
            outer = np.array([(0.32, -1.02), (0.98, -1.78), (1.14, -0.6)]) * (s, 1)
            inner = np.array([(0.52, -1.06), (0.9, -1.5), (1.0, -0.8)]) * (s, 1)
            if rounded:
                outer, inner = outer * (1.15, 1.02), inner * (1.15, 1.02)
            self.canvas.shape(outer, self.hair, 1.2)
            self.canvas.fill(inner, (250, 170, 184))
