"""Comments in prompts."""

from __future__ import annotations

import pytest
from hypothesis import given
from prompt_cases import prompts

from modules.prompt.comments import strip_comments


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("a\n#b\nc", "a\nc"),
        ("a\n#b\n#c\nd", "a\n\nd"),
        ("a\n#b\n#c\n#d\ne", "a\n\ne"),
        ("a\n#b", "a\n"),
        ("a #b\nc", "a \nc"),
        ("#b\nc", "\nc"),
        ("color #fff, cat", "color \n"),
        ("plain", "plain"),
    ],
)
def test_rules(text: str, stripped: str) -> None:
    assert strip_comments(text) == stripped


@given(prompts)
def test_no_hash_is_left_and_other_text_untouched(text: str) -> None:
    stripped = strip_comments(text)
    assert "#" not in stripped
    if "#" not in text:
        assert stripped == text
