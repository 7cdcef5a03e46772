"""Captions say what is drawn and nothing else; their tokens fit and are all known."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.prompt.tokenizer import Tokenizer
from tools.avatar import captions
from tools.avatar.attributes import COLORS, OUTFITS, Portrait, sample_attributes
from tools.avatar.tokens import POSITIONS, SmallVocabulary

VOCABULARY = SmallVocabulary()
OUTFIT_WORDS = {outfit: captions.OUTFIT_TAGS[outfit][0].split(",")[0].split()[-1] for outfit in OUTFITS}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_captions_are_true(seed: int) -> None:
    rng = np.random.default_rng(seed)
    attributes = sample_attributes(rng)
    tags = [tag.replace("_", " ") for tag in captions.caption(attributes, rng)]
    text = ", ".join(tags)
    if isinstance(attributes, Portrait):
        assert "no humans" not in text
        colors = {tag.split()[0] for tag in tags if tag.endswith(" hair") and tag.split()[0] in COLORS}
        assert colors <= {attributes.hair, attributes.hair2}
        assert all(
            tag.split()[0] == attributes.eyes for tag in tags if tag.endswith(" eyes") and tag.split()[0] in COLORS
        )
        assert all(
            word not in text
            for outfit, word in OUTFIT_WORDS.items()
            if outfit != attributes.outfit
            and word not in OUTFIT_WORDS[attributes.outfit]
            and word not in ("shirt", "uniform", "operator", "suit", "dress", "armor", "coat")
        )
    else:
        assert not any(word in text for word in ("1girl", "1boy", " eyes,"))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_tokens_are_start_tags_end(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tags = captions.caption(sample_attributes(rng), rng)
    ids = VOCABULARY.encode(tags)
    tokenizer = Tokenizer()
    assert ids.shape == (POSITIONS,) and ids.max() < len(VOCABULARY)
    assert VOCABULARY.ids[ids[0]] == tokenizer.start_id and VOCABULARY.ids[ids[-1]] == tokenizer.end_id
    if not any(captions.UNKNOWN in tag for tag in tags):
        full = tokenizer.encode(", ".join(tags))[: POSITIONS - 2]
        assert [VOCABULARY.ids[i] for i in ids[1 : 1 + len(full)]] == full


def test_no_tag_is_unknown() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        tags = [tag for tag in captions.caption(sample_attributes(rng), rng) if captions.UNKNOWN not in tag]
        assert VOCABULARY.unknown not in VOCABULARY.encode(tags), tags


def test_drop_out_leaves_some_captions_empty() -> None:
    rng = np.random.default_rng(1)
    empty = sum(not captions.caption(sample_attributes(rng), rng) for _ in range(1000))
    assert 30 < empty < 100
