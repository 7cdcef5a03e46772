"""The token counter beside a prompt box."""

from __future__ import annotations

from functools import partial

from modules.prompt.blend import BlendMode, expand_blends
from modules.prompt.chunking import COMMA_BACKTRACK, EmbeddingDatabase, get_target_prompt_token_count, token_count
from modules.prompt.composition import split_prompt
from modules.prompt.editing import prompt_schedule
from modules.prompt.errors import PromptError
from modules.prompt.extra_networks import parse_prompt
from modules.prompt.tokenizer import Tokenizer


def token_counts(
    prompt: str,
    steps: int,
    tokenizer: Tokenizer,
    *,
    is_positive: bool = True,
    blend: BlendMode = "first",
    attention: bool = True,
    comma_padding_backtrack: int = COMMA_BACKTRACK,
    embeddings: EmbeddingDatabase | None = None,
) -> tuple[int, int]:
    """The most tokens that any text of the prompt has at any step, and the room of its chunks: (count, maximum).

    Styles and comments are the caller's: `prompt` is what they leave. A prompt with an error, as while one is typing,
    is counted as ordinary text.
    """
    prompt, _ = parse_prompt(prompt)
    count = partial(token_count, tokenizer=tokenizer, comma_padding_backtrack=comma_padding_backtrack, embeddings=embeddings)
    try:
        most = max(count(text, attention=attention) for text in _texts(prompt, steps, is_positive, blend))
    except PromptError:
        most = count(prompt, attention=False)
    return most, get_target_prompt_token_count(most)


def _texts(prompt: str, steps: int, is_positive: bool, blend: BlendMode) -> set[str]:
    """Every text that is encoded for the prompt in the first pass."""
    parts = [text for text, _ in split_prompt(prompt, blend)] if is_positive else [prompt]
    variants = [variant for part in parts for variant, _ in expand_blends(part, blend)]
    return {text for variant in variants for _, text in prompt_schedule(variant, steps)}
