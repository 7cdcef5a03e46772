"""The face: head, eyes, brows and mouth for each expression. Units: the head's centre is (0, 0), its half width 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.avatar.canvas import Canvas, Points, ellipse, smooth
from tools.avatar.palette import INK, PAPER, Color, dark, light

EYE_X, EYE_Y = 0.5, 0.22
_BLUSH: Color = (246, 110, 116)
_MOUTH: Color = (176, 40, 52)
_TEAR: Color = (120, 196, 250)


@dataclass(frozen=True)
class Look:
    """How one face is seen: turn and gaze in face units, and its sizes."""

    turn: float
    gaze: float
    eye_width: float
    eye_height: float
    girl: bool


def draw_head(canvas: Canvas, skin: Color, look: Look, fur: Color | None) -> None:
    """Ears and skull; where `fur` is given the face is fur with a pale muzzle."""
    color = fur or skin
    jaw = 0.62 if look.girl else 0.72
    if fur is None:
        for s in (-1, 1):
            canvas.shape(ellipse(s * 1.0, 0.25, 0.16, 0.24), color)
    canvas.shape(
        smooth(
            [
                (-0.98, -0.3),
                (-0.6, -0.95),
                (0.6, -0.95),
                (0.98, -0.3),
                (0.97, 0.3),
                (jaw, 0.86),
                (0.0, 1.08),
                (-jaw, 0.86),
                (-0.97, 0.3),
            ]
        ),
        color,
    )
    if fur is not None:
        canvas.fill(ellipse(look.turn, 0.72, 0.46, 0.34), PAPER)
        canvas.fill(ellipse(look.turn, 0.52, 0.14, 0.09), INK)


class Face:
    """Draws eyes, brows, mouth and signs of one expression on a head."""

    def __init__(self, canvas: Canvas, look: Look, iris: Color, skin: Color, brow: Color, expression: str) -> None:
        self.canvas, self.look, self.iris, self.skin, self.expression = canvas, look, iris, skin, expression
        self.brow = dark(brow, 0.35)

    def at(self, points: Points) -> np.ndarray:
        return np.asarray(points, dtype=np.float64) + (self.look.turn, 0.0)

    def draw(self) -> None:
        self._signs_under()
        for s in (-1.0, 1.0):
            self._eye(s)
            self._brow(s)
        self._mouth()
        self._signs_over()

    def _eye(self, s: float) -> None:
        look, canvas, name = self.look, self.canvas, self.expression
        w, h = look.eye_width, look.eye_height
        x, y = EYE_X * s + look.turn, EYE_Y
        canvas.fill(ellipse(x, y, w + 0.07, h + 0.02), PAPER)
        gaze = look.gaze + (0.08 if name == "shameful" else 0.0)
        ix = x + gaze
        dull = name == "empty eyes"
        canvas.fill(ellipse(ix, y + 0.02, w, h), self.iris, edge=dark(self.iris, 0.6), width=0.9)
        if name == "heart in pupils":
            heart = np.array(
                [
                    (0, 0.22),
                    (-0.19, 0.0),
                    (-0.15, -0.14),
                    (-0.06, -0.14),
                    (0, -0.05),
                    (0.06, -0.14),
                    (0.15, -0.14),
                    (0.19, 0.0),
                ]
            )
            canvas.fill(heart * 0.95 + (ix, y + 0.02), (255, 60, 130), edge=PAPER, width=0.7)
        elif not dull:
            canvas.fill(ellipse(ix, y + 0.03, w * 0.34, h * 0.36), dark(self.iris, 0.75))
        if not dull and name != "heart in pupils":
            canvas.fill(ellipse(ix - w * 0.35, y - h * 0.42, w * 0.3, h * 0.22), (255, 255, 255))
        self._lids(s, x, y, w, h)

    def _lids(self, s: float, x: float, y: float, w: float, h: float) -> None:
        canvas, name = self.canvas, self.expression
        drop = {"sleepy": 0.36, "evil": 0.26, "serious": 0.22, "shameful": 0.2, "empty eyes": 0.12}.get(name, 0.0)
        slant = {"angry": 0.16, "evil": 0.16, "sad": -0.1, "crying": -0.1}.get(name, 0.0)
        outer, inner = x + s * (w + 0.1), x - s * (w + 0.08)
        top = y - h - 0.02 + drop
        if drop or slant:
            lid = [
                (inner, y - h - 0.1),
                (outer, y - h - 0.1),
                (outer, top - min(slant, 0)),
                (inner, top + max(slant, 0.0)),
            ]
            canvas.fill(np.array(lid), self.skin)
        arch = smooth(
            [(inner, top + 0.06 + max(slant, 0)), (x, top - 0.02 + abs(slant) / 2), (outer, top + 0.1 - min(slant, 0))],
            closed=False,
        )
        canvas.line(arch, INK, 2.4 if self.look.girl else 2.0)
        if self.look.girl:
            tip = (outer + s * 0.09, top - 0.02 - min(slant, 0))
            canvas.line([(outer - s * 0.02, top + 0.09 - min(slant, 0)), tip], INK, 1.8)

    def _brow(self, s: float) -> None:
        tilt = {
            "angry": 0.2,
            "evil": 0.16,
            "sad": -0.17,
            "crying": -0.17,
            "shameful": -0.13,
            "serious": 0.07,
            "empty eyes": -0.06,
        }.get(self.expression, 0.0)
        y = EYE_Y - self.look.eye_height - 0.17 + (0.06 if self.expression in ("angry", "serious") else 0.0)
        x = EYE_X * s
        arc = 0.0 if tilt > 0 else 0.06
        line = smooth([(x - s * 0.27, y + tilt), (x, y - arc), (x + s * 0.27, y - tilt * 0.6)], closed=False)
        self.canvas.line(self.at(line), self.brow, 1.5 if self.look.girl else 2.5)

    def _mouth(self) -> None:
        canvas, name, y = self.canvas, self.expression, 0.78
        if name == "bright":
            mouth = smooth([(-0.26, y - 0.1), (0, y - 0.06), (0.26, y - 0.1), (0.14, y + 0.14), (-0.14, y + 0.14)])
            canvas.shape(self.at(mouth), _MOUTH)
            canvas.fill(self.at(ellipse(0, y + 0.09, 0.11, 0.05)), (250, 140, 140))
        elif name in ("smile", "blush"):
            w = 0.2 if name == "smile" else 0.1
            canvas.line(self.at(smooth([(-w, y - 0.06), (0, y + 0.05), (w, y - 0.06)], closed=False)), INK, 1.5)
        elif name in ("sad", "empty eyes", "serious", "angry"):
            self._frown(name, y)
        elif name == "crying":
            canvas.shape(
                self.at(smooth([(-0.17, y + 0.1), (-0.1, y - 0.08), (0.1, y - 0.08), (0.17, y + 0.1), (0, y + 0.06)])),
                _MOUTH,
            )
        elif name == "evil":
            grin = smooth([(-0.34, y - 0.14), (0, y), (0.34, y - 0.14), (0.18, y + 0.1), (-0.18, y + 0.1)])
            canvas.fill(self.at(grin), PAPER, edge=INK, width=1.1)
            canvas.line(self.at([(-0.24, y + 0.0), (0.24, y + 0.0)]), INK, 0.8)
        elif name == "shameful":
            canvas.line(self.at([(-0.18, y), (-0.09, y - 0.06), (0, y + 0.02), (0.09, y - 0.06), (0.18, y)]), INK, 1.3)
        elif name == "sleepy":
            canvas.shape(self.at(ellipse(0, y, 0.08, 0.09)), _MOUTH)
        else:
            canvas.shape(
                self.at(smooth([(-0.13, y - 0.07), (0.13, y - 0.07), (0.08, y + 0.12), (-0.08, y + 0.12)])), _MOUTH
            )

    def _frown(self, name: str, y: float) -> None:
        bend = {"sad": 0.12, "angry": 0.1, "serious": 0.0, "empty eyes": 0.02}[name]
        w = {"empty eyes": 0.09, "serious": 0.17}.get(name, 0.18)
        if name == "angry":
            self.canvas.fill(
                self.at([(-0.2, y + 0.1), (-0.14, y - 0.06), (0.14, y - 0.06), (0.2, y + 0.1)]),
                PAPER,
                edge=INK,
                width=1.3,
            )
            return
        self.canvas.line(
            self.at(smooth([(-w, y + bend / 2), (0, y - bend / 2), (w, y + bend / 2)], closed=False)), INK, 1.6
        )

    def _signs_under(self) -> None:
        name = self.expression
        if name in ("blush", "shameful", "heart in pupils", "bright"):
            alpha, rx = {
                "blush": (0.75, 0.26),
                "shameful": (0.85, 0.3),
                "heart in pupils": (0.6, 0.22),
                "bright": (0.35, 0.18),
            }[name]
            for s in (-1, 1):
                self.canvas.fill(self.at(ellipse(s * 0.64, 0.66, rx, 0.15)), _BLUSH, alpha=alpha)
        if name == "shameful":
            self.canvas.fill(self.at(ellipse(0, 0.5, 0.4, 0.12)), _BLUSH, alpha=0.5)
        if name == "empty eyes":
            self.canvas.fill(ellipse(0, -0.25, 0.9, 0.55), (90, 90, 140), alpha=0.35)

    def _signs_over(self) -> None:
        name = self.expression
        if name == "crying":
            for s in (-1, 1):
                stream = np.array([(-0.1, EYE_Y + 0.33), (0.1, EYE_Y + 0.33), (0.14, 0.95), (-0.12, 0.98)]) + (
                    s * (EYE_X + 0.02),
                    0.0,
                )
                self.canvas.fill(self.at(stream), _TEAR, edge=light(_TEAR, 0.6), width=0.7)
        elif name == "sad":
            self.canvas.fill(self.at(ellipse(-0.74, 0.62, 0.08, 0.13)), _TEAR)
        elif name == "angry":
            for a, b in (((0.62, -0.55), (0.95, -0.45)), ((0.7, -0.3), (0.82, -0.72))):
                self.canvas.line([a, b], (214, 30, 40), 1.8)
        elif name == "sleepy":
            z = np.array([(0, 0), (0.26, 0), (0, 0.28), (0.26, 0.28)])
            self.canvas.line(z + (1.25, -1.35), (90, 110, 200), 1.8)
            self.canvas.line(z * 0.7 + (1.62, -1.68), (90, 110, 200), 1.5)
        elif name == "serious":
            self.canvas.line(self.at([(0.0, -0.05), (0.03, 0.04)]), dark(self.skin, 0.4), 1.0)
