"""Extra-network tags `<kind:argument:name=value>`: finding and removing them. What a kind means is known elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_TAG = re.compile(r"<(\w+):([^>]+)>")


@dataclass
class ExtraNetworkParams:
    """One tag's arguments: `items` as typed, split at `:`; those of the form key=value also in `named`, the others in `positional`."""

    items: list[str] = field(default_factory=list)
    positional: list[str] = field(init=False, default_factory=list)
    named: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for item in self.items:
            key, equals, value = item.partition("=")
            if equals:
                self.named[key] = value
            else:
                self.positional.append(item)


ExtraNetworks = dict[str, list[ExtraNetworkParams]]


def parse_prompt(prompt: str) -> tuple[str, ExtraNetworks]:
    """The prompt without its tags, and the tags by kind in order of appearance; known and unknown kinds alike."""
    found: ExtraNetworks = {}

    def take(match: re.Match[str]) -> str:
        found.setdefault(match[1], []).append(ExtraNetworkParams(match[2].split(":")))
        return ""

    end = prompt.rfind(">") + 1  # nothing can match beyond, and looking there is quadratic
    return _TAG.sub(take, prompt[:end]) + prompt[end:], found


def parse_prompts(prompts: Sequence[str]) -> tuple[list[str], ExtraNetworks]:
    """All prompts without their tags, and the tags of the first."""
    # A1111: the tags of a batch's other prompts are removed and have no effect.
    parsed = [parse_prompt(prompt) for prompt in prompts]
    return [text for text, _ in parsed], parsed[0][1] if parsed else {}
