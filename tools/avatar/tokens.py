"""Captions to token ids over the few hundred tokens that occur; at export the small table is spread over the whole vocabulary."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from modules.prompt.tokenizer import Tokenizer
from tools.avatar import captions
from tools.avatar.attributes import COLORS, LENGTHS, PROPS, TRAITS

POSITIONS = 77


def known_texts() -> list[str]:
    """Every text a caption may contain."""
    tables = (
        captions.STYLE_TAGS,
        captions.EXPRESSION_TAGS,
        captions.OUTFIT_TAGS,
        captions.PLACE_TAGS,
        captions.TIME_TAGS,
    )
    texts = [tag for table in tables for tags in table.values() for tag in tags]
    texts += [*captions.NEUTRAL, *COLORS, *LENGTHS, *PROPS, *TRAITS]
    texts += [
        "1girl girl 1boy boy solo no humans scenery only background landscape simple two-tone hair eyes",
        ",",
        "_",
        "grey blond",
    ]
    return [*texts, *(text.replace(" ", "_") for text in texts)]


class SmallVocabulary:
    """The tokens that occur in captions, numbered from 0, and last the unknown one."""

    def __init__(self) -> None:
        self.tokenizer = Tokenizer()
        seen = {token for text in known_texts() for token in self.tokenizer.encode(text)}
        self.ids = sorted(seen | {self.tokenizer.start_id, self.tokenizer.end_id})
        self.index = {token: number for number, token in enumerate(self.ids)}
        self.unknown = len(self.ids)
        self._tags: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self.ids) + 1

    @cached_property
    def _comma(self) -> int:
        return self.index[self.tokenizer.comma_id]

    def _tag(self, tag: str) -> list[int]:
        if tag not in self._tags:
            if captions.UNKNOWN in tag:
                return [self.unknown] * tag.count(captions.UNKNOWN)
            self._tags[tag] = [self.index.get(token, self.unknown) for token in self.tokenizer.encode(tag)]
        return self._tags[tag]

    def encode(self, tags: list[str]) -> np.ndarray:
        """Ids [77]: start, the tags with commas between, then end up to the end; what does not fit is cut off."""
        ids = [self.index[self.tokenizer.start_id]]
        for number, tag in enumerate(tags):
            ids += ([self._comma] if number else []) + self._tag(tag)
        end = self.index[self.tokenizer.end_id]
        ids = ids[: POSITIONS - 1] + [end]
        return np.array(ids + [end] * (POSITIONS - len(ids)), np.int64)
