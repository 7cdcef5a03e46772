"""Extra-network tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from prompt_cases import HOSTILE, prompts, recorded

from modules.prompt.extra_networks import parse_prompt, parse_prompts


def test_equal_to_the_recordings() -> None:
    for text, (rest, networks) in recorded("extra_networks_parse_prompt").items():
        found, tags = parse_prompt(text)
        assert found == rest, text
        assert {kind: [vars(tag) for tag in of_kind] for kind, of_kind in tags.items()} == networks, text


def test_only_the_first_prompts_tags_count() -> None:
    texts, tags = parse_prompts(["a <lora:x:1>", "b <lora:y:1><hypernet:z>"])
    assert texts == ["a ", "b "]
    assert [tag.items for tag in tags["lora"]] == [["x", "1"]]
    assert "hypernet" not in tags
    assert parse_prompts([]) == ([], {})


def test_a_value_may_hold_an_equals_sign() -> None:
    (tag,) = parse_prompt("<lora:n:te=a=b>")[1]["lora"]
    assert (tag.positional, tag.named) == (["n"], {"te": "a=b"})


@given(prompts)
def test_any_text_is_parsed(text: str) -> None:
    rest, tags = parse_prompt(text)
    assert bool(tags) == (len(rest) < len(text))


@pytest.mark.parametrize("tail", ["", ">"])
def test_unclosed_tags_are_not_quadratic(tail: str) -> None:
    text = HOSTILE["unclosed tags"] + tail
    assert parse_prompt(text)[0] == ("" if tail else text)
