"""Captions: the dictionary's tags in any order, with synonyms, left-out tags and words that mean nothing to the picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tools.avatar.attributes import Attributes, Landscape, Portrait

STYLE_TAGS: dict[str, tuple[str, ...]] = {
    "straight": ("straight hair",),
    "pony tail": ("pony tail", "pony tail", "ponytail"),
    "twin tail": ("twin tail", "twin tail", "twintails"),
    "side pony tail": ("side pony tail", "side pony tail", "side ponytail"),
    "curly": ("cur hair", "curly hair"),
    "messy": ("messy hair",),
    "wavy": ("wavy hair",),
    "hime cut": ("hime cut",),
    "drill": ("drill hair",),
    "hair bun": ("hair bun",),
    "double bun": ("double bun hair style", "double bun"),
    "braid": ("braides", "braid"),
    "twin braids": ("twin braides", "twin braids"),
    "dreadlocks": ("dreadlocks",),
    "swept back": ("swept back hair",),
}
EXPRESSION_TAGS: dict[str, tuple[str, ...]] = {
    "empty eyes": ("empty eyes", "empty eyes, despair face"),
    "heart in pupils": ("heart in pupils", "heart in pupils, ecstasy face"),
    "blush": ("blush",),
    "sad": ("sad face",),
    "crying": ("crying", "crying, tears"),
    "bright": ("bright face",),
    "smile": ("smile", "gentle smile"),
    "angry": ("angry face",),
    "evil": ("evil face",),
    "serious": ("serious face",),
    "shameful": ("shameful face",),
    "sleepy": ("sleepy face",),
}
OUTFIT_TAGS: dict[str, tuple[str, ...]] = {
    "kimono": ("kimono",),
    "plate armor": ("plate armor",),
    "maid uniform": ("maid uniform",),
    "school uniform": ("formal school uniform", "school uniform"),
    "hanbok": ("hanbok",),
    "overalls": ("overalls, hard hat",),
    "shirt jeans": ("shirt, jeans",),
    "military operator": ("military operator",),
    "furry pajamas": ("hooded furry pajamas",),
    "tuxedo": ("tuxedo",),
    "wedding dress": ("wedding dress",),
    "sweatsuit": ("sweatsuit",),
    "police uniform": ("police uniform",),
    "spacesuit": ("spacesuit",),
    "trench coat": ("trench coat",),
}
PLACE_TAGS: dict[str, tuple[str, ...]] = {
    "sky": ("sky", "sky, clouds"),
    "mountains": ("mountains", "mountain"),
    "sea": ("sea", "sea, beach"),
    "forest": ("forest", "forest, trees"),
    "city": ("city", "city, buildings"),
    "snow": ("snow", "snow, winter"),
}
TIME_TAGS: dict[str, tuple[str, ...]] = {
    "day": ("day", "blue sky"),
    "night": ("night", "night, stars"),
    "sunset": ("sunset",),
}
NEUTRAL: tuple[str, ...] = (
    "masterpiece",
    "best quality",
    "high resolution",
    "illustration",
    "portrait",
    "perfect anatomy",
    "perfect finger",
    "hyper detail",
    "high quality",
    "super detail",
    "finely detailed beautiful eyes and detailed face",
    "ultra detailed cloths",
    "ultra detailed face",
    "Incredibly detailed hair",
    "extremely detailed CG unity 8k wallpaper",
    "best illustration",
    "best shadow",
    "ultra-detailed",
    "an extremely delicate and beautiful",
    "dynamic angle",
    "cinematic light",
    "intricate details",
    "Extremely detailed and beautiful face",
    "lowres",
    "bad anatomy",
    "bad hands",
    "text",
    "missing finger",
    "extra digits",
    "fewer digits",
    "blurry",
    "mutated hands and fingers",
    "poorly drawn face",
    "mutation",
    "deformed face",
    "ugly",
    "bad proportions",
    "extra limbs",
    "extra face",
    "double head",
    "extra head",
    "extra feet",
    "monster",
    "logo",
    "cropped",
    "worst quality",
    "low quality",
    "normal quality",
    "jpeg",
    "humpbacked",
    "long body",
    "long neck",
    "jpeg artifacts",
    "nsfw",
    "avatar",
    "cartoon",
    "flat color",
    "a photo of",
    "cute",
    "anime",
)
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Stands for a word that the model was never taught; the tokeniser of the training maps it to the common unknown word."""


def portrait_tags(person: Portrait, pick: Callable[[tuple[str, ...]], str], rng: np.random.Generator) -> list[str]:
    """Every tag that is true of the person, one string per independent fact."""
    tags = [pick(("1girl", "1girl", "girl")) if person.gender == "girl" else pick(("1boy", "1boy", "boy"))]
    hair = [person.hair, *([person.hair2] if person.hair2 else [])]
    tags += ["two-tone hair", *(f"{color} hair" for color in hair)] if person.hair2 else [f"{person.hair} hair"]
    tags += [f"{person.length} hair", pick(STYLE_TAGS[person.style])]
    if "sunglasses" not in person.props or rng.random() < 0.3:
        tags.append(f"{person.eyes} eyes")
    tags.append(pick(EXPRESSION_TAGS[person.expression]))
    color = f"{person.cloth} " if rng.random() < 0.9 else ""
    tags.append(color + pick(OUTFIT_TAGS[person.outfit]))
    tags += [*person.props, *person.traits, f"{person.background} background"]
    return tags


def landscape_tags(landscape: Landscape, pick: Callable[[tuple[str, ...]], str]) -> list[str]:
    return ["no humans", pick(PLACE_TAGS[landscape.place]), pick(TIME_TAGS[landscape.time])]


def _extras(attributes: Attributes, rng: np.random.Generator) -> list[str]:
    """Words that say little: quality words, unknown words, and what is nearly always true."""
    extras: list[str] = []
    if rng.random() < 0.2:
        extras += list(rng.choice(np.array(NEUTRAL, dtype=object), size=int(rng.integers(1, 9))))
    if rng.random() < 0.08:
        extras += [" ".join([UNKNOWN] * int(rng.integers(1, 4))) for _ in range(int(rng.integers(1, 4)))]
    if rng.random() < 0.4:
        extras.append(
            "solo" if isinstance(attributes, Portrait) else str(rng.choice(["scenery", "only background", "landscape"]))
        )
    if isinstance(attributes, Portrait) and rng.random() < 0.1:
        extras.append("simple background")
    return extras


def caption(attributes: Attributes, rng: np.random.Generator) -> list[str]:
    """The tags of one caption in order; empty or meaningless in a tenth of the cases, which teaches the unconditional model."""
    if rng.random() < 0.1:
        return (
            []
            if rng.random() < 0.6
            else list(rng.choice(np.array(NEUTRAL, dtype=object), size=int(rng.integers(1, 24))))
        )

    def pick(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    tags = (
        portrait_tags(attributes, pick, rng) if isinstance(attributes, Portrait) else landscape_tags(attributes, pick)
    )
    keep = float(rng.choice([1.0, 0.9, 0.6, 0.25], p=[0.64, 0.16, 0.12, 0.08]))
    kept = [tag for tag in tags if rng.random() < keep] or [tags[int(rng.integers(len(tags)))]]
    extras = _extras(attributes, rng)
    if rng.random() < 0.7:
        order = [*extras, *kept] if rng.random() < 0.7 else [*extras, *(kept[i] for i in rng.permutation(len(kept)))]
    else:
        together = [*extras, *kept]
        order = [together[i] for i in rng.permutation(len(together))]
    if rng.random() < 0.2:
        order = [tag.replace(" ", "_") for tag in order]
    return order
