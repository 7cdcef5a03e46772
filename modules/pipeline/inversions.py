"""Textual inversions on their way into the text towers, and what an infotext says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

if TYPE_CHECKING:
    from modules.nets.text_states import EmbeddingEdit
    from modules.prompt.chunking import EmbeddingDatabase, PromptChunk
    from modules.prompt.tokenizer import Tokenizer
    from modules.settings.store import SettingsView

TI_HASHES = "TI hashes"
Tower = Literal["clip_l", "clip_g"]


class Inversions:
    """The textual inversions that one model understands; `networks` None: none at all."""

    def __init__(self, networks: Any, model: Any, settings: SettingsView) -> None:
        self._networks = networks
        self._settings = settings
        self._known = networks.embeddings_for(model) if networks is not None else None
        self._latest: dict[str, Any] = {}
        self._hashes: list[str] = []

    def lookup(self, tokens: Tokenizer) -> EmbeddingDatabase | None:
        """What finds them among the ids of a tokenizer."""
        found: EmbeddingDatabase | None = self._known.lookup(tokens) if self._known is not None else None
        return found

    def edit(self, tower: Tower, chunks: Sequence[PromptChunk]) -> EmbeddingEdit | None:
        """What puts the vectors into a tower's token embeddings [B, 77, width], a chunk to each row; None: nothing to put."""
        fixes = [(row, fix) for row, chunk in enumerate(chunks) for fix in chunk.fixes]
        self._latest.update({fix.embedding.name: fix.embedding for _, fix in fixes})
        if not fixes:
            return None

        def put(embedded: Tensor) -> Tensor:
            edited = embedded.clone()
            for row, fix in fixes:
                vectors = fix.embedding.for_tower(tower).to(edited)  # type: ignore[attr-defined]
                start = fix.offset + 1
                edited[row, start : start + len(vectors)] = vectors[: max(edited.shape[1] - start, 0)]
            return edited

        return put

    def encoded(self) -> None:
        """Note that a tower is through with a set of texts.

        A1111: every tower and every text adds its own entries in front, so that names come twice with SDXL.
        """
        if self._settings.textual_inversion_add_hashes_to_infotext:
            hashes = {name: self._networks.embedding_hash(found, self._settings) for name, found in self._latest.items()}
            told = [f"{name.replace(':', '').replace(',', '')}: {digest}" for name, digest in hashes.items() if digest]
            self._hashes = [*told, *self._hashes]
        self._latest = {}

    def infotext(self, earlier: Any = None) -> dict[str, str]:
        """The infotext key, in front of what an `earlier` pass of the job has written."""
        told = [*self._hashes, *([str(earlier)] if earlier else [])]
        return {TI_HASHES: ", ".join(told)} if self._hashes else {}


def no_inversions(settings: SettingsView) -> Inversions:
    """For texts that are no prompts."""
    return Inversions(None, None, settings)
