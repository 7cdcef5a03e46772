"""Attributes to pixels: puts a person or a landscape together, the same for the same attributes, seed and size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.avatar.attributes import Attributes, Landscape, Portrait
from tools.avatar.canvas import Canvas, ellipse, rotation_about
from tools.avatar.face import EYE_X, EYE_Y, Face, Look, draw_head
from tools.avatar.hair import Hair
from tools.avatar.outfits import Outfit
from tools.avatar.palette import BACKGROUND, EYES, HAIR, SKINS, dark, jitter, light
from tools.avatar.props import Props
from tools.avatar.scenery import Scenery

_UNIT = 0.205


@dataclass(frozen=True)
class Picture:
    """A drawing: `pixels` uint8 [size, size, 3] RGB; `eyes` the two iris centres in 0..1 (empty for a landscape)."""

    pixels: np.ndarray
    eyes: tuple[tuple[float, float], ...]


def render(attributes: Attributes, seed: int | np.random.Generator, size: int = 128) -> Picture:
    """Draws a picture; `seed` decides everything the attributes leave open (pose, scale, light, shape)."""
    rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)
    if isinstance(attributes, Landscape):
        canvas = Canvas(size, (0, 0, 0))
        Scenery(canvas, attributes, rng).draw()
        return Picture(canvas.finish(), ())
    return _portrait(attributes, rng, size)


def _backdrop(canvas: Canvas, rng: np.random.Generator) -> None:
    """Flat, or with a soft light from above or a paler disc; always mostly the background's own colour."""
    base = tuple(int(v) for v in canvas.image[0, 0])
    kind = rng.random()
    if kind < 0.2:
        canvas.gradient(light(base, 0.25), dark(base, 0.08))  # type: ignore[arg-type]
    elif kind < 0.35:
        canvas.fill(ellipse(0.5, 0.42, 0.46, n=40), light(base, 0.18))  # type: ignore[arg-type]


def _portrait(person: Portrait, rng: np.random.Generator, size: int) -> Picture:
    canvas = Canvas(size, jitter(BACKGROUND[person.background], rng, 4.0))
    _backdrop(canvas, rng)
    scale = _UNIT * float(rng.uniform(0.93, 1.07))
    x, y = 0.5 + float(rng.uniform(-0.03, 0.03)), 0.445 + float(rng.uniform(-0.025, 0.025))
    place = np.array([[scale, 0, x], [0, scale, y], [0, 0, 1.0]])
    tilted = place @ rotation_about(float(np.clip(rng.normal(0, 0.055), -0.13, 0.13)), 0.0, 1.0)
    girl = person.gender == "girl"
    look = Look(
        turn=float(rng.uniform(-0.07, 0.07)),
        gaze=float(rng.uniform(-0.03, 0.03)),
        girl=girl,
        eye_width=float(rng.uniform(0.285, 0.31)),
        eye_height=(0.36 if girl else 0.31) * float(rng.uniform(0.95, 1.05)),
    )
    skin = jitter(SKINS[int(rng.choice(len(SKINS), p=(0.34, 0.3, 0.18, 0.1, 0.08)))], rng, 4.0)
    hair_color = jitter(HAIR[person.hair], rng)
    second = jitter(HAIR[person.hair2], rng) if person.hair2 else None
    hair = Hair(canvas, person.style, person.length, hair_color, second, rng)
    outfit = Outfit(canvas, person, skin, rng)
    props = Props(canvas, person, hair_color, rng)
    fur = light(hair_color, 0.3) if "furry" in person.traits else None
    face = Face(canvas, look, jitter(EYES[person.eyes], rng), fur or skin, hair_color, person.expression)

    canvas.matrix = place
    props.behind()
    canvas.matrix = tilted
    outfit.behind()
    hair.back()
    canvas.matrix = place
    outfit.body()
    props.on_body()
    canvas.matrix = tilted
    draw_head(canvas, skin, look, fur)
    face.draw()
    props.on_face()
    hair.front()
    outfit.hat()
    props.over()
    eyes = np.array([[s * EYE_X + look.turn, EYE_Y] for s in (-1, 1)]) @ tilted[:2, :2].T + tilted[:2, 2]
    return Picture(canvas.finish(), tuple((float(ex), float(ey)) for ex, ey in eyes))
