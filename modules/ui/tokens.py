"""Token counts beside the prompts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modules.engine.engine import Engine
    from modules.prompt.tokenizer import Tokenizer


def token_counts_of(engine: Engine, texts: Iterable[str], steps: int = 20, *, is_positive: bool = True) -> list[tuple[int, int]]:
    """For each prompt the tokens of its longest variant and the room of its chunks, under the settings in force.

    Comments and tags of extra networks do not count: they never reach the text encoder.
    """
    from modules.prompt.comments import strip_comments
    from modules.prompt.counter import token_counts
    from modules.prompt.emphasis import parses_attention

    options, model = engine.options, engine.models.loaded
    embeddings = engine.networks.embeddings_for(model).lookup(_tokenizer()) if model is not None else None
    counts = []
    for text in texts:
        prompt = strip_comments(text) if options.enable_prompt_comments else text
        counts.append(
            token_counts(
                prompt,
                max(1, steps),
                _tokenizer(),
                is_positive=is_positive,
                blend=options.prompt_blend,
                attention=parses_attention(options.emphasis),
                comma_padding_backtrack=int(options.comma_padding_backtrack),
                embeddings=embeddings,
            )
        )
    return counts


@lru_cache(maxsize=1)
def _tokenizer() -> Tokenizer:
    from modules.prompt.tokenizer import Tokenizer

    return Tokenizer("clip")
