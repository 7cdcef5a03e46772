"""Chunks of tokens, comma backtracking and embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_cases import HOSTILE, prompts, recorded

from modules.prompt.chunking import empty_chunk, get_target_prompt_token_count, token_count, tokenize_line
from modules.prompt.errors import PromptError
from modules.prompt.tokenizer import Tokenizer

CLIP = Tokenizer()
CAT = CLIP.encode("cat")[0]
COMMA = CLIP.comma_id
END = CLIP.end_id


@dataclass
class FakeEmbedding:
    name: str
    vectors: int


class FakeDatabase:
    """Embeddings by name and number of vectors."""

    def __init__(self, **sizes: int) -> None:
        self.by_ids = {tuple(CLIP.encode(name)): FakeEmbedding(name, size) for name, size in sizes.items()}

    def find(self, ids: Sequence[int], offset: int) -> tuple[FakeEmbedding, int] | None:
        for name in sorted(self.by_ids, key=len, reverse=True):
            if tuple(ids[offset : offset + len(name)]) == name:
                return self.by_ids[name], len(name)
        return None


def body(text: str, **options: object) -> list[list[int]]:
    """The tokens of every chunk without start, end and padding."""
    chunks, _ = tokenize_line(text, CLIP, **options)
    return [[token for token in chunk.tokens[1:-1] if token != END] for chunk in chunks]


def test_equal_to_the_recordings() -> None:
    database = FakeDatabase(**{"tinyti": 3, "tinyst": 2, "two words": 1})
    for text, answer in recorded("tokenize_line_sd1").items():
        chunks, count = tokenize_line(text, CLIP, embeddings=database)
        assert (count, get_target_prompt_token_count(count)) == (answer["token_count"], answer["target"]), text
        for chunk, expected in zip(chunks, answer["chunks"], strict=True):
            assert chunk.tokens == expected["tokens"], text
            assert chunk.multipliers == expected["multipliers"], text
            assert [[fix.offset, fix.embedding.name] for fix in chunk.fixes] == expected["fixes"], text


def test_an_empty_prompt_is_start_and_ends() -> None:
    assert empty_chunk(CLIP).tokens == [CLIP.start_id] + [END] * 76
    assert tokenize_line("", CLIP) == ([empty_chunk(CLIP)], 0)


def test_tokens_behind_a_near_comma_move_to_the_next_chunk() -> None:
    text = "cat " * 60 + ", " + "cat " * 15
    assert body(text) == [[CAT] * 60 + [COMMA], [CAT] * 15]
    assert body(text, comma_padding_backtrack=14) == [[CAT] * 60 + [COMMA] + [CAT] * 14, [CAT]]
    assert body(text, comma_padding_backtrack=15) == [[CAT] * 60 + [COMMA], [CAT] * 15]
    assert body(text, comma_padding_backtrack=0) == [[CAT] * 60 + [COMMA] + [CAT] * 14, [CAT]]


def test_a_comma_at_a_full_chunk_opens_the_next_and_is_forgotten() -> None:
    text = "cat " * 75 + ", " + "cat " * 75
    assert body(text) == [[CAT] * 75, [COMMA] + [CAT] * 74, [CAT]]


def test_a_comma_of_the_chunk_before_is_forgotten() -> None:
    assert body("cat " * 60 + ", " + "cat " * 100) == [[CAT] * 60 + [COMMA], [CAT] * 75, [CAT] * 25]


def test_break_ends_a_chunk_only_outside_brackets_and_with_attention() -> None:
    assert body("cat BREAK cat") == [[CAT], [CAT]]
    assert body("BREAK BREAK cat BREAK") == [[], [], [CAT]]
    assert len(body("(cat BREAK cat)")) == 1
    assert body("cat BREAK cat", attention=False) == [CLIP.encode("cat BREAK cat")]


def test_without_attention_everything_is_text() -> None:
    (chunk,), count = tokenize_line("(cat:1.2.3)", CLIP, attention=False)
    assert count == len(CLIP.encode("(cat:1.2.3)"))
    assert set(chunk.multipliers) == {1.0}


def test_an_embedding_that_does_not_fit_opens_the_next_chunk() -> None:
    chunks, count = tokenize_line("cat " * 70 + "(style:1.5)", CLIP, embeddings=FakeDatabase(style=6))
    assert count == 75 + 6
    assert [(fix.offset, fix.embedding.name) for fix in chunks[1].fixes] == [(0, "style")]
    assert chunks[1].tokens[1:8] == [0] * 6 + [END]
    assert chunks[1].multipliers[:8] == [1.0] + [1.5] * 6 + [1.0]
    assert not chunks[0].fixes


def test_an_embedding_moved_by_the_comma_rule_keeps_its_old_place() -> None:
    chunks, _ = tokenize_line("cat " * 60 + ", style " + "cat " * 20, CLIP, embeddings=FakeDatabase(style=4))
    assert [fix.offset for fix in chunks[0].fixes] == [61]
    assert not chunks[1].fixes
    assert chunks[1].tokens[1:6] == [0] * 4 + [CAT]


def test_an_embedding_larger_than_a_chunk_is_cut() -> None:
    chunks, count = tokenize_line("cat style cat", CLIP, embeddings=FakeDatabase(style=100))
    assert [len(chunk.tokens) for chunk in chunks] == [77, 77, 77]
    assert count == 75 + 75 + 1


@given(prompts, st.integers(0, 74))
def test_every_chunk_has_77_ids_and_none_is_lost(text: str, backtrack: int) -> None:
    try:
        chunks, count = tokenize_line(text, CLIP, comma_padding_backtrack=backtrack)
    except PromptError:
        return
    assert all(len(chunk.tokens) == len(chunk.multipliers) == 77 for chunk in chunks)
    assert len(chunks) == get_target_prompt_token_count(count) // 75
    assert count == token_count(text, CLIP, comma_padding_backtrack=backtrack)


@given(st.lists(st.sampled_from(["cat", ",", "cat cat cat"]), max_size=200))
def test_the_comma_rule_keeps_the_order_of_tokens(words: list[str]) -> None:
    text = " ".join(words)
    assert sum(body(text), []) == CLIP.encode(text)


@pytest.mark.parametrize("name", ["nested", "nested editing", "blanks", "breaks", "many"])
def test_hostile_texts_are_chunked(name: str) -> None:
    assert tokenize_line(HOSTILE[name], CLIP)[0]
