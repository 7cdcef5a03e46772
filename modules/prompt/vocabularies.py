"""The tokenizers that need a file of the user's: where they look for it, and what they say when it is not there."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from modules.prompt.errors import PromptError
from modules.prompt.tokenizer import Flavour
from modules.prompt.unigram import UnigramTokenizer, VocabularyError, read_vocabulary

T5_FILES = ("t5-tokenizer.json", "t5_tokenizer.json", "spiece.model")
XLMR_FILES = ("xlmr-tokenizer.json", "xlmr_tokenizer.json", "sentencepiece.bpe.model")
DEFAULT_FOLDER = Path("models/CLIP")


class T5Tokenizer:
    """T5's ids: padding 0, end 1, unknown 2; there is no start."""

    pad_id, end_id = 0, 1

    def __init__(self, vocabulary: UnigramTokenizer) -> None:
        self._vocabulary = vocabulary

    def encode(self, text: str) -> list[int]:
        """The ids of `text` without the end."""
        return self._vocabulary.encode(text)


class XLMRTokenizer:
    """XLM-RoBERTa's ids: start 0, padding 1, end 2, unknown 3; chunked like CLIP's."""

    flavour: Flavour = "clip"
    start_id, pad_id, end_id = 0, 1, 2

    def __init__(self, vocabulary: UnigramTokenizer) -> None:
        self._vocabulary = vocabulary
        self.vocab = vocabulary.vocab
        self.comma_id = vocabulary.vocab.get(",", vocabulary.unknown_id)

    def encode(self, text: str) -> list[int]:
        """The ids of `text` without start and end."""
        return self._vocabulary.encode(text)

    def decode(self, ids: list[int]) -> str:
        """The text behind ids."""
        return self._vocabulary.decode(ids)


def t5_tokenizer(folder: Path | None) -> T5Tokenizer | None:
    """T5's tokenizer from a file in the folder; None where there is none. Raises PromptError for one that cannot be used."""
    path = _found(folder, T5_FILES)
    return None if path is None else T5Tokenizer(_read(path, False))


def xlmr_tokenizer(folder: Path | None) -> XLMRTokenizer:
    """XLM-RoBERTa's tokenizer; raises PromptError where there is no file for it or none that can be used."""
    path = _found(folder, XLMR_FILES)
    if path is None:
        raise PromptError(f"AltDiffusion's tokenizer is missing: {where_to_put(folder, XLMR_FILES, 'XLM-RoBERTa')}")
    return XLMRTokenizer(_read(path, True))


def where_to_put(folder: Path | None, names: tuple[str, ...], origin: str) -> str:
    """The cure for a missing file, as a clause."""
    return f"put {origin}'s tokenizer.json as {names[0]}, or its {names[-1]}, into {folder or DEFAULT_FOLDER}"


def _found(folder: Path | None, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None) if folder is not None else None


def _read(path: Path, shift: bool) -> UnigramTokenizer:
    try:
        return _cached(path, path.stat().st_mtime, shift)
    except VocabularyError as error:
        raise PromptError(str(error)) from error


@lru_cache(maxsize=2)
def _cached(path: Path, modified: float, shift: bool) -> UnigramTokenizer:
    return read_vocabulary(path, shift=shift)
