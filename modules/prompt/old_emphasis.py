"""The emphasis of A1111's first weeks (`use_old_emphasis_implementation`): brackets found among the tokens, one chunk only."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from modules.prompt.attention import MORE
from modules.prompt.chunking import CHUNK_TOKENS, EmbeddingDatabase, PromptChunk
from modules.prompt.errors import PromptError
from modules.prompt.tokenizer import Tokenizer, base_vocabulary


class OldLine(NamedTuple):
    """One chunk, how many tokens the text has, and the text of those cut off (empty: none)."""

    chunk: PromptChunk
    token_count: int
    overflow: str

    @property
    def comment(self) -> str:
        """What to tell the user about tokens cut off; empty when none were."""
        return f"Warning: too many input tokens; the end was left out: {self.overflow}" if self.overflow else ""


@lru_cache(maxsize=1)
def bracket_factors() -> dict[int, float]:
    """Vocabulary entries whose brackets change the running multiplier, by id."""
    factors = {}
    for piece, index in base_vocabulary().items():
        factor = 1.0
        for character in piece:
            if character in "(]":
                factor *= MORE
            elif character in ")[":
                factor /= MORE
        if factor != 1.0:
            factors[index] = factor
    return factors


def tokenize_line_old(
    line: str, tokenizer: Tokenizer, *, attention: bool = True, embeddings: EmbeddingDatabase | None = None
) -> OldLine:
    """The one chunk of a prompt; raises PromptError for OpenCLIP's tokenizer, which never had this."""
    if tokenizer.flavour != "clip":
        raise PromptError("the old emphasis implementation works with CLIP-L models only: switch use_old_emphasis_implementation off")
    factors = bracket_factors() if attention else {}
    tokens = tokenizer.encode(line)
    chunk, multiplier, position = PromptChunk(), 1.0, 0
    while position < len(tokens):
        token = tokens[position]
        found = embeddings.find(tokens, position) if embeddings and token not in factors else None
        if found is not None:
            chunk.add_embedding(found[0], multiplier)
            position += found[1]
            continue
        if token in factors:
            multiplier *= factors[token]
        else:
            chunk.add([token], multiplier)
        position += 1
    count = len(chunk.tokens)
    overflow = tokenizer.decode(chunk.tokens[CHUNK_TOKENS:]).strip()
    chunk.close(tokenizer)
    return OldLine(chunk, count, overflow)
