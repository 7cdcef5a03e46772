"""Brackets, weights, escapes and BREAK."""

from __future__ import annotations

import pytest
from hypothesis import given
from prompt_cases import HOSTILE, prompts, recorded

from modules.prompt import attention
from modules.prompt.attention import parse_prompt_attention
from modules.prompt.errors import PromptError

LESS = 1 / 1.1


def test_equal_to_the_recordings() -> None:
    for text, answer in recorded("parse_prompt_attention").items():
        assert parse_prompt_attention(text) == answer["attention"], text


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", [["", 1.0]]),
        ("(a)(b)", [["ab", 1.1]]),
        ("[a:1.5]", [["a:1.5", LESS]]),
        ("a:1.2)", [["a:1.2)", 1.0]]),
        ("((a:1.2))", [["a", 1.2 * 1.1]]),
        ("[(a:1.5)]", [["a", 1.5 * LESS]]),
        ("(a[b)c]", [["a", 1.1], ["b", 1.1 * LESS], ["c", LESS]]),
        ("a)]", [["a)]", 1.0]]),
        ("[(a", [["a", 1.1 * LESS]]),
        ("(a:-.5)", [["a", -0.5]]),
        ("(a : 1.3 )", [["a ", 1.3]]),
        (r"\(a\) \x\\", [["(a) x\\", 1.0]]),
        ("a BREAK b", [["a", 1.0], ["BREAK", -1.0], ["b", 1.0]]),
        ("a\n BREAK \tBREAK", [["a", 1.0], ["BREAK", -1.0], ["", 1.0], ["BREAK", -1.0], ["", 1.0]]),
        ("(a BREAK b:1.5)", [["a", 1.5], ["BREAK", -1.5], ["b", 1.5]]),
        ("BREAKS", [["BREAKS", 1.0]]),
    ],
)
def test_rules(text: str, segments: list) -> None:
    assert parse_prompt_attention(text) == segments


@pytest.mark.parametrize(("text", "number"), [("x (a:1.2.3) y", "1.2.3"), ("(a:.)", "."), ("(a:-..)", "-..")])
def test_a_weight_that_is_no_number_is_named(text: str, number: str) -> None:
    with pytest.raises(PromptError, match="is not a weight") as caught:
        parse_prompt_attention(text)
    assert number in str(caught.value)
    assert caught.value.piece in text


@given(prompts)
def test_any_text_is_parsed_and_only_bad_weights_raise(text: str) -> None:
    try:
        segments = parse_prompt_attention(text)
    except PromptError as error:
        assert error.piece
        return
    assert segments
    assert all(first[1] != second[1] for first, second in zip(segments, segments[1:], strict=False) if first[1] == first[1])


@given(prompts.filter(lambda text: not set(text) & set("()[]\\:") and "BREAK" not in text))
def test_plain_text_is_one_segment(text: str) -> None:
    assert parse_prompt_attention(text) == [[text, 1.0]]


@given(prompts)
def test_fast_weights_agree_with_exact_ones(text: str) -> None:
    try:
        segments, scalings = attention._scan(text)
    except PromptError:
        return
    own = [weight for _, weight in segments]
    fast = attention._weights_at_once(list(own), scalings)
    assert fast == pytest.approx(attention._weights(own, scalings), rel=1e-9)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_parsed(name: str) -> None:
    assert parse_prompt_attention(HOSTILE[name])
