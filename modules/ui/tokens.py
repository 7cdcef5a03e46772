"""Token counts under the prompts."""

from __future__ import annotations

from collections.abc import Iterable


def token_counts_of(texts: Iterable[str], steps: int = 20) -> list[tuple[int, int]]:
    """For each prompt the tokens of its longest variant and the next multiple of 75.

    Tags of extra networks do not count: they never reach the text encoder.
    """
    from modules.prompt.counter import token_counts

    return [token_counts(text, max(1, steps)) for text in texts]
