"""Reading the dictionary's tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent
FILES = ("person", "hair", "face", "traits", "outfit", "props")
"""In the order in which their words stand in a prompt."""
BRACE_WEIGHT = 1.05
"""NovelAI's `{text}` multiplies the weight by this, `{{text}}` twice, and so on."""
_BRACES = re.compile(r"(\{+)([^{}]*)(\}+)")

Labels = dict[str, str]
"""Language code ("en", "ko") to text."""


@dataclass(frozen=True)
class Value:
    """One thing that can be chosen. `companion` is said with it; `swatch` is a colour's CSS value."""

    id: str
    prompt: str
    labels: Labels
    companion: str | None = None
    swatch: str | None = None

    def is_called(self, name: str) -> bool:
        """Whether a name means this value: its id, its prompt, or its label in any language; case and underscores do not count."""
        names = (self.id, self.prompt, *self.labels.values())
        return _plain(name) in {_plain(own) for own in names}


@dataclass(frozen=True)
class Category:
    """Values of which at most `limit` can be chosen (None: any number; more than `advised` are seldom all drawn).

    `noun` follows a colour ("blue eyes"); `needs` names the category without which this one says nothing; with `is_random`
    a value is drawn by lot where none is chosen.
    """

    id: str
    labels: Labels
    values: tuple[Value, ...]
    limit: int | None = None
    advised: int | None = None
    noun: str | None = None
    needs: str | None = None
    is_random: bool = False

    def find(self, name: str) -> Value | None:
        """The value a name means, or None."""
        return next((value for value in self.values if value.is_called(name)), None)


@dataclass(frozen=True)
class Preset:
    """Words for quality before the choices, and their negative prompt; `people`: whether it can hold a person's attributes."""

    id: str
    labels: Labels
    people: bool
    prompt: str
    negative_prompt: str


@dataclass(frozen=True)
class Character:
    """A well-known character as an infotext, ready to be pasted."""

    id: str
    labels: Labels
    work: Labels
    likeness: str
    infotext: str


@dataclass(frozen=True)
class Dictionary:
    """All tables."""

    categories: dict[str, Category] = field(default_factory=dict)
    presets: dict[str, Preset] = field(default_factory=dict)
    characters: dict[str, Character] = field(default_factory=dict)


@cache
def dictionary() -> Dictionary:
    """The dictionary that comes with the program."""
    colors = tuple(_value(row) for row in _read("colors")["values"])
    categories = {key: _category(key, row, colors) for name in FILES for key, row in _read(name).items()}
    presets = {key: _preset(key, row) for key, row in _read("presets").items()}
    characters = {
        key: Character(key, row["name"], row["work"], row["likeness"], row["infotext"]) for key, row in _read("characters").items()
    }
    return Dictionary(categories, presets, characters)


def with_weights(text: str) -> str:
    """NovelAI's braces as weights: `{{a}}` becomes `(a:1.1025)`. Unequal braces count as far as they pair."""

    def weight(match: re.Match[str]) -> str:
        depth = min(len(match[1]), len(match[3]))
        return f"({match[2]}:{round(BRACE_WEIGHT**depth, 4)})"

    return _BRACES.sub(weight, text)


def _read(name: str) -> dict[str, Any]:
    tables: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    return tables


def _value(row: dict[str, Any]) -> Value:
    return Value(row["id"], row["prompt"], {"en": row["en"], "ko": row["ko"]}, row.get("companion"), row.get("swatch"))


def _category(key: str, row: dict[str, Any], colors: tuple[Value, ...]) -> Category:
    values = colors if row.get("colors") else tuple(_value(entry) for entry in row["values"])
    return Category(
        key,
        row["name"],
        values,
        limit=row.get("limit"),
        advised=row.get("advised"),
        noun=row.get("noun"),
        needs=row.get("needs"),
        is_random=row.get("default") == "random",
    )


def _preset(key: str, row: dict[str, Any]) -> Preset:
    return Preset(key, row["name"], bool(row["people"]), with_weights(row["prompt"]), with_weights(row["negative_prompt"]))


def _plain(name: str) -> str:
    return name.strip().casefold().replace("_", " ")
