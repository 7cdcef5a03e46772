"""The token counter."""

from __future__ import annotations

import pytest
from hypothesis import given
from prompt_cases import prompts, recorded

from modules.prompt.chunking import get_target_prompt_token_count, token_count
from modules.prompt.counter import token_counts
from modules.prompt.tokenizer import Tokenizer

CLIP = Tokenizer("clip")
OPEN_CLIP = Tokenizer("open_clip")


@pytest.mark.parametrize(
    ("model", "tokenizer"), [("tiny-sd1-inpaint", CLIP), ("tiny-sd2-eps", OPEN_CLIP), ("tiny-sd2-v", OPEN_CLIP), ("tiny-sdxl", CLIP)]
)
def test_lengths_equal_to_the_recordings(model: str, tokenizer: Tokenizer) -> None:
    for text, (count, most) in recorded(f"token_counts_{model}").items():
        assert token_count(text, tokenizer) == count, text
        assert get_target_prompt_token_count(count) == most, text


@pytest.mark.parametrize(
    ("prompt", "positive", "count"),
    [
        ("a cat AND a fat dog:1.2", True, 3),
        ("a cat AND a fat dog", False, 6),
        ("a [cat:fat grey dog:0.5]", True, 4),
        ("a [cat:fat grey dog:100]", True, 2),
        ("a cat <lora:some_name:1>", True, 2),
        ("cat:a fat grey dog:0.5, photo", True, 6),
        ("cat " * 75 + "cat", True, 76),
        ("", True, 0),
    ],
)
def test_the_longest_text_counts(prompt: str, positive: bool, count: int) -> None:
    assert token_counts(prompt, 20, CLIP, is_positive=positive) == (count, 75 if count <= 75 else 150)


def test_an_error_while_typing_is_counted_as_text() -> None:
    assert token_counts("(cat:1.2.3)", 20, CLIP) == (len(CLIP.encode("(cat:1.2.3)")), 75)
    assert token_counts("a:b:0.5, " * 5, 20, CLIP)[0] == len(CLIP.encode("a:b:0.5, " * 5))


@given(prompts)
def test_any_text_is_counted(text: str) -> None:
    count, most = token_counts(text, 5, CLIP)
    assert 0 <= count <= most
    assert most % 75 == 0
