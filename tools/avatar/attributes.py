"""What an avatar picture shows: the attribute dictionary's values, one dataclass, and how a random one is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COLORS = (
    "black",
    "blue",
    "brown",
    "golden",
    "blonde",
    "gray",
    "green",
    "orange",
    "pink",
    "purple",
    "red",
    "white",
    "yellow",
)
HAIR_STYLES = (
    "straight",
    "pony tail",
    "twin tail",
    "side pony tail",
    "curly",
    "messy",
    "wavy",
    "hime cut",
    "drill",
    "hair bun",
    "double bun",
    "braid",
    "twin braids",
    "dreadlocks",
    "swept back",
)
LENGTHS = ("long", "short")
EXPRESSIONS = (
    "empty eyes",
    "heart in pupils",
    "blush",
    "sad",
    "crying",
    "bright",
    "smile",
    "angry",
    "evil",
    "serious",
    "shameful",
    "sleepy",
)
OUTFITS = (
    "kimono",
    "plate armor",
    "maid uniform",
    "school uniform",
    "hanbok",
    "overalls",
    "shirt jeans",
    "military operator",
    "furry pajamas",
    "tuxedo",
    "wedding dress",
    "sweatsuit",
    "police uniform",
    "spacesuit",
    "trench coat",
)
PROPS = ("sunglasses", "gloves", "earrings", "choker", "wings", "halo", "hair ribbon", "hair band", "fedora")
TRAITS = ("cat ears", "cyberpunk", "furry")
PLACES = ("sky", "mountains", "sea", "forest", "city", "snow")
TIMES = ("day", "night", "sunset")
GENDERS = ("girl", "boy")

HATTED_OUTFITS = ("overalls", "police uniform", "maid uniform", "spacesuit")
HEAD_PROPS = ("halo", "hair ribbon", "hair band", "fedora")
SCENERY_SHARE = 0.12


@dataclass(frozen=True)
class Portrait:
    """One person: every field a value of the tables above; `hair2` is the second colour of two-tone hair."""

    gender: str
    style: str
    length: str
    hair: str
    hair2: str | None
    eyes: str
    expression: str
    outfit: str
    cloth: str
    props: tuple[str, ...]
    traits: tuple[str, ...]
    background: str


@dataclass(frozen=True)
class Landscape:
    """A picture without people: a place and the time of day."""

    place: str
    time: str


Attributes = Portrait | Landscape


def _choice(rng: np.random.Generator, values: tuple[str, ...]) -> str:
    return values[int(rng.integers(len(values)))]


def _props(rng: np.random.Generator, outfit: str) -> tuple[str, ...]:
    """Mostly none or one, sometimes two; nothing on the head where the outfit brings a hat, and one thing there at most."""
    count = int(rng.choice(3, p=(0.45, 0.43, 0.12)))
    chosen: list[str] = []
    for name in rng.permutation(np.array(PROPS)):
        taken = outfit in HATTED_OUTFITS or any(prop in HEAD_PROPS for prop in chosen)
        if len(chosen) < count and not (name in HEAD_PROPS and taken):
            chosen.append(str(name))
    return tuple(chosen)


def sample_portrait(rng: np.random.Generator) -> Portrait:
    """A random person; all values of a field are equally likely, fields are independent but for what excludes itself."""
    outfit = _choice(rng, OUTFITS)
    props = _props(rng, outfit)
    hair, traits = _choice(rng, COLORS), ()
    if rng.random() < 0.15:
        traits = (_choice(rng, TRAITS),)
    if "fedora" in props or outfit in HATTED_OUTFITS:
        traits = tuple(trait for trait in traits if trait != "cat ears")
    second = _choice(rng, tuple(color for color in COLORS if color != hair)) if rng.random() < 0.1 else None
    return Portrait(
        gender=_choice(rng, GENDERS),
        style=_choice(rng, HAIR_STYLES),
        length=_choice(rng, LENGTHS),
        hair=hair,
        hair2=second,
        eyes=_choice(rng, COLORS),
        expression=_choice(rng, EXPRESSIONS),
        outfit=outfit,
        cloth=_choice(rng, COLORS),
        props=props,
        traits=traits,
        background=_choice(rng, COLORS),
    )


def sample_attributes(rng: np.random.Generator) -> Attributes:
    """A random picture's attributes: a landscape in `SCENERY_SHARE` of the cases, else a person."""
    if rng.random() < SCENERY_SHARE:
        return Landscape(place=_choice(rng, PLACES), time=_choice(rng, TIMES))
    return sample_portrait(rng)
