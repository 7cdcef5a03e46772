"""Unigram tokenization (Kudo 2018) from a vocabulary file that the user puts there: T5 and XLM-RoBERTa.

Read are SentencePiece's own `.model` files and the `tokenizer.json` of the tokenizers library; both are data only.
"""

from __future__ import annotations

import json
import math
import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

WORD_START = "\u2581"
UNKNOWN_PENALTY = 10.0
MAX_BYTES = 64 << 20
NORMAL, UNKNOWN = 1, 2
_SPACES = re.compile(r"[\s\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]")


class VocabularyError(ValueError):
    """A vocabulary file cannot be used; the message names it and the way out."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"vocabulary '{path.name}' {problem}; download it again")


@dataclass(frozen=True)
class Piece:
    """A piece of text, its logarithmic probability, and whether text may be cut into it."""

    text: str
    score: float
    usable: bool = True


class UnigramTokenizer:
    """Text to ids and back by the most probable way to cut each word; `encode` adds no start or end."""

    def __init__(self, pieces: list[Piece], unknown_id: int) -> None:
        self.pieces = pieces
        self.unknown_id = unknown_id
        self.vocab = {piece.text: index for index, piece in enumerate(pieces)}
        self._scores = {piece.text: piece.score for piece in pieces if piece.usable}
        self._longest = max(map(len, self._scores), default=1)
        self._unknown_score = min(self._scores.values(), default=0.0) - UNKNOWN_PENALTY
        self._cache: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, any length."""
        return [index for word in normalised(text).split(" ") if word for index in self._word(WORD_START + word)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text behind ids; ids beyond the vocabulary vanish."""
        text = "".join(self.pieces[index].text for index in ids if 0 <= index < len(self.pieces))
        return text.replace(WORD_START, " ").strip()

    def _word(self, word: str) -> list[int]:
        if word not in self._cache:
            if len(self._cache) > 50_000:
                self._cache.clear()
            self._cache[word] = self._cut(word)
        return self._cache[word]

    def _cut(self, word: str) -> list[int]:
        """Viterbi over the positions of the word; unknown characters side by side are one unknown token."""
        best = [0.0] + [-math.inf] * len(word)
        came_from = [0] * (len(word) + 1)
        for end in range(1, len(word) + 1):
            for start in range(max(0, end - self._longest), end):
                score = self._scores.get(word[start:end], self._unknown_score if end - start == 1 else -math.inf)
                if best[start] + score > best[end]:
                    best[end], came_from[end] = best[start] + score, start
        ids: list[int] = []
        end = len(word)
        while end > 0:
            piece = word[came_from[end] : end]
            index = self.vocab[piece] if piece in self._scores else self.unknown_id
            if not (index == self.unknown_id and ids and ids[-1] == index):
                ids.append(index)
            end = came_from[end]
        return ids[::-1]


def normalised(text: str) -> str:
    """Compatibility forms composed, control characters removed, blanks of all kinds collapsed to one."""
    return _SPACES.sub(" ", _CONTROLS.sub("", unicodedata.normalize("NFKC", text))).strip(" ")


def read_vocabulary(path: Path, *, shift: bool = False) -> UnigramTokenizer:
    """The tokenizer of a `.model` or `.json` file.

    `shift` renumbers the pieces of a `.model` file as XLM-RoBERTa does: start, padding, end and unknown come first, then the file's
    pieces from the fourth on. Raises VocabularyError.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise VocabularyError(path, f"is larger than {MAX_BYTES >> 20} MB, which no vocabulary is")
        raw = path.read_bytes()
        pieces, unknown = _from_json(raw) if path.suffix == ".json" else _from_model(raw, shift)
    except OSError as error:
        raise VocabularyError(path, f"cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, IndexError, struct.error, RecursionError) as error:
        if isinstance(error, VocabularyError):
            raise
        raise VocabularyError(path, "is damaged or of another kind") from error
    if not pieces or not 0 <= unknown < len(pieces):
        raise VocabularyError(path, "holds no pieces")
    return UnigramTokenizer(pieces, unknown)


def _from_json(raw: bytes) -> tuple[list[Piece], int]:
    model = json.loads(raw)["model"]
    if model.get("type", "Unigram") != "Unigram":
        raise ValueError("not a unigram vocabulary")
    unknown = int(model["unk_id"])
    special = {"<s>", "</s>", "<pad>", "<unk>", "<mask>"}
    return [Piece(str(text), float(score), str(text) not in special) for text, score in model["vocab"]], unknown


def _from_model(raw: bytes, shift: bool) -> tuple[list[Piece], int]:
    kinds: list[int] = []
    pieces: list[Piece] = []
    for number, value in _fields(raw):
        if number == 1 and isinstance(value, bytes):
            fields = dict(_fields(value))
            text, score, kind = fields.get(1, b""), fields.get(2, b"\0\0\0\0"), fields.get(3, NORMAL)
            if not isinstance(text, bytes) or not isinstance(score, bytes) or not isinstance(kind, int):
                raise ValueError("a piece of the wrong types")
            pieces.append(Piece(text.decode("utf-8"), struct.unpack("<f", score)[0], kind in (NORMAL, 4)))
            kinds.append(kind)
    if not shift:
        return pieces, kinds.index(UNKNOWN)
    first = [Piece(text, 0.0, usable=False) for text in ("<s>", "<pad>", "</s>", "<unk>")]
    return [*first, *pieces[3:], Piece("<mask>", 0.0, usable=False)], 3


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field of a protocol buffer message; fixed-width values come as bytes."""
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        kind = tag & 7
        if kind == 0:
            value, position = _varint(raw, position)
            yield tag >> 3, value
            continue
        if kind not in (1, 2, 5):
            raise ValueError("unknown wire type")
        length = 8 if kind == 1 else 4
        if kind == 2:
            length, position = _varint(raw, position)
        if position + length > len(raw):
            raise ValueError("the message ends in the middle of a field")
        yield tag >> 3, raw[position : position + length]
        position += length


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise ValueError("a number without end")
