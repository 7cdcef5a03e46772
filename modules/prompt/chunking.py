"""From a prompt to chunks of 77 token ids: start, 75 tokens with their weights, end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from modules.prompt.attention import BREAK, attention_segments
from modules.prompt.tokenizer import Tokenizer

CHUNK_TOKENS = 75
COMMA_BACKTRACK = 20
PLACEHOLDER = 0  # the id in whose place an embedding's vector is put


class Embedding(Protocol):
    """A textual inversion, as far as counting tokens needs it."""

    @property
    def name(self) -> str: ...

    @property
    def vectors(self) -> int:
        """How many token positions it takes."""


class EmbeddingDatabase(Protocol):
    """Finds textual inversions by the token ids of their names."""

    def find(self, ids: Sequence[int], offset: int) -> tuple[Embedding, int] | None:
        """The embedding with the longest name that starts at ids[offset], and how many ids its name takes; None: no such."""


class PromptChunkFix(NamedTuple):
    """An embedding to be put over the token vectors from `offset` on, counted without the start token."""

    offset: int
    embedding: Embedding


@dataclass
class PromptChunk:
    """77 ids with a multiplier each, and the embeddings among them."""

    tokens: list[int] = field(default_factory=list)
    multipliers: list[float] = field(default_factory=list)
    fixes: list[PromptChunkFix] = field(default_factory=list)

    def add(self, tokens: Sequence[int], weight: float) -> None:
        """Append tokens of one weight."""
        self.tokens += tokens
        self.multipliers += [weight] * len(tokens)

    def add_embedding(self, embedding: Embedding, weight: float) -> None:
        """Append an embedding's placeholders; what exceeds a whole chunk is cut."""
        self.fixes.append(PromptChunkFix(len(self.tokens), embedding))
        self.add([PLACEHOLDER] * min(embedding.vectors, CHUNK_TOKENS), weight)

    def close(self, tokenizer: Tokenizer) -> None:
        """Pad to 75 with the end id and weight 1, cut beyond, and put start and end around."""
        self.add([tokenizer.end_id] * (CHUNK_TOKENS - len(self.tokens)), 1.0)
        self.tokens = [tokenizer.start_id, *self.tokens[:CHUNK_TOKENS], tokenizer.end_id]
        self.multipliers = [1.0, *self.multipliers[:CHUNK_TOKENS], 1.0]


def empty_chunk(tokenizer: Tokenizer) -> PromptChunk:
    """The chunk of an empty prompt, also used to lengthen texts of fewer chunks."""
    chunk = PromptChunk()
    chunk.close(tokenizer)
    return chunk


def get_target_prompt_token_count(token_count: int) -> int:
    """The counter's right side: the tokens that fit into the chunks needed, at least 75."""
    return -(-max(token_count, 1) // CHUNK_TOKENS) * CHUNK_TOKENS


def tokenize_line(
    line: str,
    tokenizer: Tokenizer,
    *,
    attention: bool = True,
    comma_padding_backtrack: int = COMMA_BACKTRACK,
    embeddings: EmbeddingDatabase | None = None,
) -> tuple[list[PromptChunk], int]:
    """The chunks of one prompt, at least one, and its token count (75 for every chunk but the last).

    attention False takes brackets, weights and BREAK literally. Raises PromptError for a weight that is no number.
    """
    segments = attention_segments(line) if attention else [(line, 1.0)]
    line_chunks = _Chunks(tokenizer, comma_padding_backtrack, embeddings)
    for text, weight in segments:
        if attention and (text, weight) == BREAK:
            line_chunks.next()
        else:
            line_chunks.fill(tokenizer.encode(text), weight)
    return line_chunks.finish()


def token_count(
    line: str,
    tokenizer: Tokenizer,
    *,
    attention: bool = True,
    comma_padding_backtrack: int = COMMA_BACKTRACK,
    embeddings: EmbeddingDatabase | None = None,
) -> int:
    """The token count of one prompt as `tokenize_line` has it."""
    return tokenize_line(
        line, tokenizer, attention=attention, comma_padding_backtrack=comma_padding_backtrack, embeddings=embeddings
    )[1]


class _Chunks:
    """The chunks of one line while they are filled; `last_comma` is the last comma's position in the open chunk, or None."""

    def __init__(self, tokenizer: Tokenizer, comma_backtrack: int, embeddings: EmbeddingDatabase | None) -> None:
        self.tokenizer = tokenizer
        self.comma_backtrack = comma_backtrack
        self.embeddings = embeddings
        self.done: list[PromptChunk] = []
        self.open = PromptChunk()
        self.last_comma: int | None = None

    def fill(self, tokens: Sequence[int], weight: float) -> None:
        position = 0
        while position < len(tokens):
            self._make_room(tokens[position])
            found = self.embeddings.find(tokens, position) if self.embeddings else None
            if found is None:
                self.open.add(tokens[position : position + 1], weight)
                position += 1
            else:
                embedding, length = found
                if len(self.open.tokens) + embedding.vectors > CHUNK_TOKENS:
                    self.next()
                self.open.add_embedding(embedding, weight)
                position += length

    def _make_room(self, token: int) -> None:
        """Remember a comma; at a full chunk begin the next, taking along what follows a near enough comma."""
        size = len(self.open.tokens)
        if token == self.tokenizer.comma_id:
            self.last_comma = size
        elif size == CHUNK_TOKENS and self.last_comma is not None and size - self.last_comma <= self.comma_backtrack:
            self._move_on(self.last_comma + 1)
        if len(self.open.tokens) == CHUNK_TOKENS:
            self.next()

    def _move_on(self, start: int) -> None:
        # A1111: embeddings among the moved tokens stay attached to the old chunk's positions.
        tokens, multipliers = self.open.tokens[start:], self.open.multipliers[start:]
        del self.open.tokens[start:], self.open.multipliers[start:]
        self.next()
        self.open.tokens, self.open.multipliers = tokens, multipliers

    def next(self) -> None:
        self.open.close(self.tokenizer)
        self.done.append(self.open)
        self.open, self.last_comma = PromptChunk(), None

    def finish(self) -> tuple[list[PromptChunk], int]:
        count = len(self.done) * CHUNK_TOKENS + len(self.open.tokens)
        if self.open.tokens or not self.done:
            self.next()
        return self.done, count
