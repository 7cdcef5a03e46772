"""AND and trailing weights."""

from __future__ import annotations

import pytest
from hypothesis import given
from prompt_cases import HOSTILE, prompts, recorded

from modules.prompt.composition import get_multicond_prompt_list, split_prompt


def test_equal_to_the_recordings() -> None:
    for text, answer in recorded("multicond_prompt_list").items():
        composed, texts, indexes = get_multicond_prompt_list([text])
        assert [[list(pair) for pair in pairs] for pairs in composed] == answer["res_indexes"], text
        assert (texts, indexes) == (answer["prompt_flat_list"], answer["prompt_indexes"]), text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("cat:1.5", [("cat", 1.5)]),
        ("a:b:2", [("a:b", 2.0)]),
        ("(cat:1.5)", [("(cat:1.5)", 1.0)]),
        ("a :-.5 AND  b:+2. ", [("a", -0.5), ("  b", 2.0)]),
        ("a:1e2", [("a:1e2", 1.0)]),
        ("a:.", [("a:.", 1.0)]),
        (" AND ", [("", 1.0), ("", 1.0)]),
        ("[x AND y:z:5]", [("[x", 1.0), (" y:z:5]", 1.0)]),
        ("sAND and ANDy", [("sAND and ANDy", 1.0)]),
        (":2", [("", 2.0)]),
    ],
)
def test_rules(text: str, parts: list) -> None:
    assert split_prompt(text) == parts


def test_equal_parts_of_several_prompts_are_shared() -> None:
    composed, texts, indexes = get_multicond_prompt_list(["a AND b:2", "b AND c"])
    assert composed == [[(0, 1.0), (1, 2.0)], [(2, 1.0), (3, 1.0)]]
    assert texts == ["a", " b", "b", " c"]
    assert [indexes[text] for text in texts] == [0, 1, 2, 3]
    assert get_multicond_prompt_list(["x", "x"])[0] == [[(0, 1.0)], [(0, 1.0)]]


@given(prompts)
def test_any_text_splits(text: str) -> None:
    parts = split_prompt(text)
    assert parts
    assert all(part in text for part, _ in parts)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_split(name: str) -> None:
    assert split_prompt(HOSTILE[name], "first")
