"""CLIP's BPE against the recorded ids of open_clip and transformers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st

from modules.prompt.tokenizer import Tokenizer, fix_text

CLIP = Tokenizer("clip")
OPEN_CLIP = Tokenizer("open_clip")


def recorded_cases() -> list[dict]:
    return json.loads(golden("nets", "tokenizer", "clip_tokenizer.json").read_text("utf-8"))["cases"]


def test_special_ids() -> None:
    assert (CLIP.start_id, CLIP.end_id, CLIP.pad_id, CLIP.comma_id) == (49406, 49407, 49407, 267)
    assert (OPEN_CLIP.start_id, OPEN_CLIP.end_id, OPEN_CLIP.pad_id, OPEN_CLIP.comma_id) == (49406, 49407, 0, 267)
    assert len(CLIP.vocab) == len(OPEN_CLIP.vocab) == 49408


def test_ids_equal_transformers_clip() -> None:
    for case in recorded_cases():
        assert CLIP.encode(case["text"]) == case["transformers_clip"], case["text"]


def test_ids_and_decoding_equal_open_clip() -> None:
    for case in recorded_cases():
        assert OPEN_CLIP.encode(case["text"]) == case["open_clip"], case["text"]
        if "decoded" in case:
            assert OPEN_CLIP.decode(case["open_clip"]) == case["decoded"], case["text"]


def test_ids_of_the_recorded_prompts() -> None:
    for text, ids in json.loads(golden("pure", "tokenizer_ids_sd1.json").read_text("utf-8")).items():
        assert CLIP.encode(text) == ids, text


@pytest.mark.parametrize(("tokenizer", "word"), [(CLIP, "<|endoftext|>"), (OPEN_CLIP, "<end_of_text>")])
def test_special_words_are_single_ids_of_their_own_flavour_only(tokenizer: Tokenizer, word: str) -> None:
    assert tokenizer.encode(f"cat {word}") == [2368, 49407]
    other = OPEN_CLIP if tokenizer is CLIP else CLIP
    assert 49407 not in other.encode(word)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_ascii_shortcut_changes_nothing(text: str) -> None:
    import ftfy

    assert fix_text(text) == ftfy.fix_text(text)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz ,.:()0123456789!"))
def test_decoding_gives_the_words_back(text: str) -> None:
    assert CLIP.decode(CLIP.encode(text)).replace(" ", "") == text.replace(" ", "")


@given(st.text())
def test_any_text_encodes_to_known_ids(text: str) -> None:
    for tokenizer in (CLIP, OPEN_CLIP):
        assert all(0 <= token < 49408 for token in tokenizer.encode(text))


def test_one_long_word_is_not_quadratic() -> None:
    assert len(CLIP.encode("abcdefghij" * 5_000)) > 10_000


def test_no_torch_is_imported() -> None:
    code = "import sys; from modules.prompt.tokenizer import Tokenizer; Tokenizer().encode('caf\u00e9'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
