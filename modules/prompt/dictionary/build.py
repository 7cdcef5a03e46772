"""From choices to a prompt: quality words, who, hair, eyes and face, traits, outfit, props, in this order."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from modules.prompt.dictionary.tables import Category, Dictionary, Preset, Value, dictionary
from modules.prompt.errors import PromptError

TWO_TONE = "two-tone hair"
PRESET = "preset"
Choices = Mapping[str, str | Sequence[str] | None]
"""Category to one name or several: ids, prompt words or labels in any language."""


class UnknownChoice(PromptError):
    """A category, a value or a preset that is not in the dictionary."""


class Conflict(PromptError):
    """Choices that exclude each other; `.category` is where, `.choices` what."""

    def __init__(self, category: str, choices: Sequence[str], message: str) -> None:
        super().__init__(message)
        self.category, self.choices = category, list(choices)


@dataclass
class Built:
    """The prompts, what was chosen in the end (ids by category, those drawn by lot included), and remarks."""

    prompt: str
    negative_prompt: str
    choices: dict[str, list[str]] = field(default_factory=dict)
    drawn: list[str] = field(default_factory=list)
    """Categories whose value was drawn by lot."""
    remarks: list[str] = field(default_factory=list)


def build(choices: Choices, *, preset: str | None = "portrait", seed: int | None = None) -> Built:
    """The prompt for a set of choices; `preset` None adds no quality words, `seed` repeats what is drawn by lot.

    Raises UnknownChoice and Conflict.
    """
    tables = dictionary()
    quality = _preset(tables, preset)
    chosen = _chosen(tables, choices)
    _check(tables, chosen, quality)
    result = Built("", quality.negative_prompt if quality else "")
    if quality is None or quality.people:
        _draw(tables, chosen, result, random.Random(seed))
    result.choices = {key: [value.id for value in values] for key, values in chosen.items()}
    result.remarks = _remarks(tables, chosen)
    result.prompt = ", ".join(([quality.prompt] if quality else []) + _words(chosen))
    return result


def _preset(tables: Dictionary, name: str | None) -> Preset | None:
    if name is None:
        return None
    if name not in tables.presets:
        raise UnknownChoice(f"{PRESET}: there is no '{name}'; known are {', '.join(tables.presets)}")
    return tables.presets[name]


def _chosen(tables: Dictionary, choices: Choices) -> dict[str, list[Value]]:
    """The values of every category that has any, in the order of the prompt."""
    for key in choices:
        if key not in tables.categories:
            raise UnknownChoice(f"{key}: there is no such category; known are {', '.join(tables.categories)}")
    chosen: dict[str, list[Value]] = {}
    for key, category in tables.categories.items():
        given = choices.get(key)
        names = [given] if isinstance(given, str) else list(given or [])
        values = {value.id: value for value in (_find(category, name) for name in names if name.strip())}
        if values:
            chosen[key] = list(values.values())
    return chosen


def _find(category: Category, name: str) -> Value:
    value = category.find(name)
    if value is None:
        raise UnknownChoice(f"{category.id}: there is no '{name}'; known are {', '.join(v.id for v in category.values)}")
    return value


def _check(tables: Dictionary, chosen: dict[str, list[Value]], quality: Preset | None) -> None:
    for key, values in chosen.items():
        category, ids = tables.categories[key], [value.id for value in values]
        if category.limit is not None and len(values) > category.limit:
            many = "only one" if category.limit == 1 else f"at most {category.limit}"
            raise Conflict(key, ids, f"{key}: '{ids[0]}' and '{ids[1]}' exclude each other; choose {many} of {', '.join(ids)}")
        if category.needs and category.needs not in chosen:
            raise Conflict(key, ids, f"{key}: says nothing without {category.needs}; choose one or leave the colour out")
        if quality is not None and not quality.people:
            message = f"{key}: the preset '{quality.id}' shows nobody; leave '{ids[0]}' out or take the preset 'portrait'"
            raise Conflict(key, [quality.id, *ids], message)


def _draw(tables: Dictionary, chosen: dict[str, list[Value]], result: Built, lot: random.Random) -> None:
    """Give every category that wants it a value by lot."""
    for key, category in tables.categories.items():
        if category.is_random and key not in chosen:
            chosen[key] = [lot.choice(category.values)]
            result.drawn.append(key)


def _words(chosen: dict[str, list[Value]]) -> list[str]:
    """The words of all choices, in the order of the prompt."""
    words: list[str] = []
    for key in dictionary().categories:
        values = chosen.get(key, [])
        if key == "outfit" and values:
            color = [value.prompt for value in chosen.get("outfit_color", [])]
            words.append(" ".join([*color, values[0].prompt]))
        elif key != "outfit_color":
            words += _of(dictionary().categories[key], values)
    return words


def _of(category: Category, values: list[Value]) -> list[str]:
    words = [f"{value.prompt} {category.noun}" if category.noun else value.prompt for value in values]
    if category.id == "hair_color" and len(values) > 1:
        words.insert(0, TWO_TONE)
    return words + [value.companion for value in values if value.companion]


def _remarks(tables: Dictionary, chosen: dict[str, list[Value]]) -> list[str]:
    remarks = []
    for key, values in chosen.items():
        advised = tables.categories[key].advised
        if advised is not None and len(values) > advised:
            remarks.append(f"{key}: with more than {advised}, some are often not drawn")
    return remarks
