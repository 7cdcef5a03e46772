"""CLIP's byte-pair encoding, on the vocabulary file that open-clip-torch ships."""

from __future__ import annotations

import gzip
import heapq
import html
import importlib.util
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Literal

import regex

Flavour = Literal["clip", "open_clip"]

MERGES = 48894
WORD_END = "</w>"
SPECIALS: dict[Flavour, tuple[str, str]] = {
    "clip": ("<|startoftext|>", "<|endoftext|>"),
    "open_clip": ("<start_of_text>", "<end_of_text>"),
}
_PLAIN_ASCII = re.compile(r"[\t\n -%'-~]*")
_CACHED_WORD = 48
_CACHED_WORDS = 50_000


def vocabulary_file() -> Path:
    """The BPE merges file inside the installed open-clip-torch, found without importing it; raises FileNotFoundError."""
    spec = importlib.util.find_spec("open_clip")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "bpe_simple_vocab_16e6.txt.gz"
        if path.is_file():
            return path
    raise FileNotFoundError("CLIP's vocabulary is missing: install open-clip-torch, which carries bpe_simple_vocab_16e6.txt.gz")


@lru_cache(maxsize=1)
def byte_symbols() -> tuple[str, ...]:
    """The printable character standing for each of the 256 bytes, as in GPT-2's byte-level BPE."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return tuple(chr(b if b in printable else next(spare)) for b in range(256))


@lru_cache(maxsize=1)
def _merge_list() -> list[tuple[str, str]]:
    with gzip.open(vocabulary_file(), "rt", encoding="utf-8") as file:
        pairs = (line.split() for line in islice(file, 1, 1 + MERGES))
        return [(left, right) for left, right in pairs]


@lru_cache(maxsize=1)
def _merge_ranks() -> dict[tuple[str, str], int]:
    return {pair: rank for rank, pair in enumerate(_merge_list())}


@lru_cache(maxsize=1)
def base_vocabulary() -> dict[str, int]:
    """The id of every piece except the two special words of a flavour, which follow."""
    symbols = sorted(byte_symbols())
    pieces = [*symbols, *(s + WORD_END for s in symbols), *(left + right for left, right in _merge_list())]
    return {piece: index for index, piece in enumerate(pieces)}


def fix_text(text: str) -> str:
    """Repaired Unicode (mojibake, curly quotes, ligatures, full width); plain ASCII without `&` needs no repair and skips ftfy."""
    if _PLAIN_ASCII.fullmatch(text):
        return text
    import ftfy

    return ftfy.fix_text(text)


class Tokenizer:
    """Text to CLIP token ids and back.

    flavour "clip" is transformers' CLIPTokenizer (encoders CLIP-L), "open_clip" open_clip's own (H, bigG): same vocabulary,
    but other special words, another `pad_id` and, with open_clip, HTML entities always unescaped.
    `encode` neither adds start and end nor truncates.
    """

    def __init__(self, flavour: Flavour = "clip") -> None:
        self.flavour = flavour
        self.specials = SPECIALS[flavour]
        self.start_id, self.end_id = len(base_vocabulary()), len(base_vocabulary()) + 1
        self.vocab = {**base_vocabulary(), self.specials[0]: self.start_id, self.specials[1]: self.end_id}
        self.pad_id = self.end_id if flavour == "clip" else 0
        self.comma_id = self.vocab["," + WORD_END]
        self._ranks = _merge_ranks()
        self._pieces = {index: piece for piece, index in self.vocab.items()}
        self._bytes = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        words = "|".join(re.escape(word) for word in self.specials)
        self._specials = re.compile(f"({words})")
        self._words = regex.compile(
            words + r"|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+", regex.IGNORECASE
        )
        self._cache: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """The token ids of `text`, any length, without start and end."""
        parts = self._specials.split(text) if self.flavour == "clip" else [text]
        return [token for part in parts for word in self._words.findall(self.clean(part)) for token in self._encode_word(word)]

    def decode(self, ids: Iterable[int]) -> str:
        """The lower-case text behind `ids`, a blank after every word; unknown ids vanish, broken UTF-8 becomes U+FFFD."""
        text = "".join(self._pieces.get(int(index), "") for index in ids)
        return bytes(self._bytes[symbol] for symbol in text).decode("utf-8", errors="replace").replace(WORD_END, " ")

    def clean(self, text: str) -> str:
        """The normalised text that is cut into words: repaired, blanks collapsed, lower case."""
        text = fix_text(text)
        if self.flavour == "open_clip" and "&" in text:
            text = html.unescape(html.unescape(text))
        return " ".join(text.split()).lower()

    def _encode_word(self, word: str) -> list[int]:
        cached = self._cache.get(word)
        if cached is not None:
            return cached
        if word in self.specials:
            ids = [self.vocab[word]]
        else:
            symbols = byte_symbols()
            ids = [self.vocab[piece] for piece in self._merge([symbols[b] for b in word.encode("utf-8", "replace")])]
        if len(word) <= _CACHED_WORD and len(self._cache) < _CACHED_WORDS:
            self._cache[word] = ids
        return ids

    def _merge(self, pieces: list[str]) -> list[str]:
        """Pairs joined in order of rank, leftmost first: a heap over a linked list, n log n for a word of n bytes."""
        pieces[-1] += WORD_END
        ranks, size = self._ranks, len(pieces)
        after = [*range(1, size), -1]
        before = list(range(-1, size - 1))
        heap = [(ranks[pair], i, *pair) for i, pair in enumerate(zip(pieces, pieces[1:], strict=False)) if pair in ranks]
        heapq.heapify(heap)
        while heap:
            _, i, left, right = heapq.heappop(heap)
            j = after[i]
            if j < 0 or pieces[i] != left or pieces[j] != right:
                continue
            pieces[i], pieces[j] = left + right, ""
            after[i] = after[j]
            if after[j] >= 0:
                before[after[j]] = i
            for a in (before[i], i):
                b = after[a] if a >= 0 else -1
                if b >= 0 and (pieces[a], pieces[b]) in ranks:
                    heapq.heappush(heap, (ranks[pieces[a], pieces[b]], a, pieces[a], pieces[b]))
        return [piece for piece in pieces if piece]
