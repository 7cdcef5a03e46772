"""The colours: RGB triples for hair, irises, cloth, skin and backgrounds, kept far apart so that each name is legible."""

from __future__ import annotations

import numpy as np

Color = tuple[int, int, int]

HAIR: dict[str, Color] = {
    "black": (34, 30, 42),
    "blue": (48, 92, 222),
    "brown": (118, 68, 36),
    "golden": (205, 148, 24),
    "blonde": (246, 226, 166),
    "gray": (140, 143, 152),
    "green": (46, 164, 76),
    "orange": (246, 128, 28),
    "pink": (252, 138, 192),
    "purple": (134, 58, 194),
    "red": (206, 32, 44),
    "white": (244, 244, 248),
    "yellow": (254, 230, 40),
}
EYES: dict[str, Color] = {
    **HAIR,
    "black": (24, 22, 28),
    "brown": (128, 70, 30),
    "golden": (214, 152, 16),
    "white": (232, 234, 240),
}
CLOTH: dict[str, Color] = {
    **HAIR,
    "black": (46, 46, 54),
    "blue": (54, 98, 206),
    "white": (238, 238, 242),
    "blonde": (240, 224, 176),
}
BACKGROUND: dict[str, Color] = {
    "black": (28, 28, 32),
    "blue": (104, 156, 242),
    "brown": (146, 106, 76),
    "golden": (218, 172, 66),
    "blonde": (246, 234, 196),
    "gray": (166, 168, 174),
    "green": (122, 204, 132),
    "orange": (250, 168, 90),
    "pink": (252, 186, 214),
    "purple": (176, 124, 222),
    "red": (222, 78, 82),
    "white": (250, 250, 250),
    "yellow": (252, 240, 118),
}
SKINS: tuple[Color, ...] = ((254, 226, 204), (250, 214, 186), (238, 192, 156), (206, 152, 112), (152, 102, 72))
INK: Color = (44, 30, 40)
PAPER: Color = (250, 250, 252)


def mix(a: Color, b: Color, t: float) -> Color:
    """The colour a share `t` of the way from `a` to `b`."""
    return (round(a[0] + (b[0] - a[0]) * t), round(a[1] + (b[1] - a[1]) * t), round(a[2] + (b[2] - a[2]) * t))


def dark(color: Color, t: float = 0.35) -> Color:
    return mix(color, (20, 8, 30), t)


def light(color: Color, t: float = 0.35) -> Color:
    return mix(color, (255, 255, 255), t)


def jitter(color: Color, rng: np.random.Generator, amount: float = 6.0) -> Color:
    """The same colour in slightly other light: one brightness shift and a smaller one per channel, in 8-bit steps."""
    shift = rng.normal(0.0, amount) + rng.normal(0.0, amount / 2, 3)
    red, green, blue = (int(np.clip(value + step, 0, 255)) for value, step in zip(color, shift, strict=True))
    return (red, green, blue)


def contrast(name: str, avoid: str = "") -> Color:
    """A trim colour that stands out from the cloth called `name`."""
    trims = ("red", "white", "golden", "blue")
    near = {"orange": "red", "pink": "red", "blonde": "golden", "yellow": "golden", "purple": "blue", "gray": "white"}
    return next(CLOTH[trim] for trim in trims if trim not in (name, near.get(name), avoid))
