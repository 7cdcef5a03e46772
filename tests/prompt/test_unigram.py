"""Unigram tokenization and the two file formats its vocabularies come in."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from modules.prompt.errors import PromptError
from modules.prompt.unigram import Piece, UnigramTokenizer, VocabularyError, normalised, read_vocabulary
from modules.prompt.vocabularies import t5_tokenizer, xlmr_tokenizer

PIECES = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁a", -3.0), ("▁cat", -4.0), ("c", -6.0), ("a", -6.0), ("t", -6.0),
          ("s", -5.0), ("▁ca", -4.5), (",", -2.5)]  # fmt: skip


def field(number: int, value: bytes | int | float) -> bytes:
    if isinstance(value, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", value)
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128, value >> 7])


def model_file(path: Path, pieces: list[tuple[str, float]]) -> Path:
    """A SentencePiece model whose first three pieces are control, control, unknown."""
    kinds = {"<unk>": 2, "<pad>": 3, "<s>": 3, "</s>": 3}
    messages = [field(1, text.encode()) + field(2, score) + field(3, kinds.get(text, 1)) for text, score in pieces]
    path.write_bytes(b"".join(field(1, message) for message in messages) + field(2, field(4, b"trainer")))
    return path


def json_file(path: Path, pieces: list[tuple[str, float]], unknown: int = 2) -> Path:
    path.write_text(json.dumps({"model": {"type": "Unigram", "unk_id": unknown, "vocab": pieces}}), "utf-8")
    return path


@pytest.fixture(params=["model", "json"])
def tokens(request: pytest.FixtureRequest, tmp_path: Path) -> UnigramTokenizer:
    make = model_file if request.param == "model" else json_file
    return read_vocabulary(make(tmp_path / f"x.{request.param}", PIECES))


def test_the_most_probable_cut_wins(tokens: UnigramTokenizer) -> None:
    assert tokens.encode("a cat") == [4, 5]
    assert tokens.encode("cats") == [5, 9]
    assert tokens.encode("ca") == [10]
    assert tokens.encode("cat,") == [5, 11]
    assert tokens.decode([4, 5]) == "a cat"


def test_unknown_characters_side_by_side_are_one_token(tokens: UnigramTokenizer) -> None:
    assert tokens.encode("cat한국") == [5, 2]
    assert tokens.encode("한cat") == [3, 2, 6, 7, 8]


def test_special_pieces_are_no_text(tokens: UnigramTokenizer) -> None:
    assert 1 not in tokens.encode("</s>")


def test_blanks_and_forms_are_normalised() -> None:
    assert normalised(" a\t\nb\u3000c\u200bd\x01 ") == "a b c d"
    assert normalised("ｃａｔ") == "cat"
    assert UnigramTokenizer([Piece("<unk>", 0.0, usable=False)], 0).encode("") == []


@pytest.mark.parametrize("content", [b"", b"\x0a\xff", b"\x0b", b"\x0a\x05ab", b"\xff" * 12, b"\x08\x01"])
def test_a_damaged_model_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.model").write_bytes(content)
    with pytest.raises(VocabularyError, match="vocabulary 'x.model'"):
        read_vocabulary(tmp_path / "x.model")


BAD_JSON = ["", "[]", "{}", '{"model": {"type": "BPE"}}', '{"model": {"unk_id": 5, "vocab": [["a", 0]]}}', "[" * 99999]


@pytest.mark.parametrize("content", BAD_JSON)
def test_a_damaged_json_file_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(VocabularyError, match="vocabulary 'x.json'"):
        read_vocabulary(tmp_path / "x.json")


def test_xlm_roberta_has_its_own_numbers(tmp_path: Path) -> None:
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), (",", -2.0), ("▁a", -3.0)]
    model_file(tmp_path / "sentencepiece.bpe.model", pieces)
    tokens = xlmr_tokenizer(tmp_path)
    assert (tokens.comma_id, tokens.encode("a,")) == (4, [5, 4])
    assert tokens.encode("x") == [3]


def test_missing_files_say_where_they_belong(tmp_path: Path) -> None:
    assert t5_tokenizer(tmp_path) is None and t5_tokenizer(None) is None
    with pytest.raises(PromptError, match="put XLM-RoBERTa's tokenizer.json as xlmr-tokenizer.json"):
        xlmr_tokenizer(tmp_path)
    model_file(tmp_path / "spiece.model", PIECES)
    t5 = t5_tokenizer(tmp_path)
    assert t5 is not None and t5.encode("a cat") == [4, 5]
