"""Texts -> conditionings, the way each model family wants them (generation.md §1.3, §1.7 and §1.10 of the reference)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules.nets.unet import timestep_embedding
from modules.pipeline.inversions import Inversions, Tower, no_inversions
from modules.pipeline.model import Cond, DiffusionModel
from modules.pipeline.text_sd3 import encode_sd3
from modules.prompt.chunking import PromptChunk, empty_chunk, tokenize_line
from modules.prompt.emphasis import apply_emphasis, parses_attention
from modules.prompt.old_emphasis import tokenize_line_old
from modules.prompt.tokenizer import Flavour, Tokenizer
from modules.prompt.vocabularies import xlmr_tokenizer

if TYPE_CHECKING:
    from modules.nets.text_states import EmbeddingEdit, TextStates
    from modules.settings.store import SettingsView

SIZE_EMBEDDING = 256


@lru_cache(maxsize=2)
def tokenizer(flavour: Flavour) -> Tokenizer:
    """The tokenizer of CLIP-L ("clip") or of H and bigG ("open_clip")."""
    return Tokenizer(flavour)


@dataclass(frozen=True)
class SizeConditioning:
    """Scalars that SDXL is told about the picture, in pixels, and the refiner's aesthetic score."""

    width: int
    height: int
    crop_top: int = 0
    crop_left: int = 0
    aesthetic: float = 6.0

    @classmethod
    def of(cls, settings: SettingsView, width: int, height: int, *, negative: bool) -> SizeConditioning:
        score = settings.sdxl_refiner_low_aesthetic_score if negative else settings.sdxl_refiner_high_aesthetic_score
        return cls(width, height, int(settings.sdxl_crop_top), int(settings.sdxl_crop_left), float(score))


class TextConditioner:
    """Encodes texts with one model's towers under the settings in force."""

    def __init__(self, model: DiffusionModel, settings: SettingsView, inversions: Inversions | None = None) -> None:
        self.model = model
        self.settings = settings
        self.inversions = inversions or no_inversions(settings)
        self.checkpoint = model.checkpoint
        self.remarks: list[str] = []
        """What the user should hear about the texts."""

    @torch.inference_mode()
    def encode(self, texts: list[str], size: SizeConditioning, *, negative: bool = False) -> list[Cond]:
        """Conditionings of texts that belong together: the variants of one prompt over the steps.

        They are encoded as one batch, since A1111's emphasis restores means over the whole of it.
        `negative` marks a negative prompt: SDXL turns an empty one into zeros.
        """
        if self.model.is_sd3:
            return encode_sd3(self, texts)
        pooled: Tensor | None = None
        if self.checkpoint.text_x is not None:
            cross = self._tower_x(texts)
        elif self.checkpoint.text_l is not None and self.checkpoint.text_g is not None:
            cross, pooled = self._sdxl(texts)
        elif self.checkpoint.text_l is not None:
            cross, pooled = self._tower_l(texts, self._skip_l), None
        else:
            cross, pooled = self._tower_g(texts)
        if pooled is None:
            return [Cond(row) for row in cross]
        if negative and self.checkpoint.text_l is not None and all(text == "" for text in texts):
            # A1111: an exactly empty negative prompt is no text at all on SDXL, pooled vector included
            cross, pooled = torch.zeros_like(cross), torch.zeros_like(pooled)
        vectors = torch.cat([pooled, self._size_vector(size).expand(len(texts), -1)], dim=1)
        return [Cond(row, vector) for row, vector in zip(cross, vectors, strict=True)]

    def chunks(
        self, texts: list[str], flavour: Flavour | Tokenizer, tower: Tower = "clip_l"
    ) -> Iterator[tuple[Tensor, Tensor, EmbeddingEdit | None]]:
        """Ids [B, 77], multipliers [B, 77] and the textual inversions of the first chunks, the second ones, …

        Short texts get empty chunks.
        """
        tokens = tokenizer(flavour) if isinstance(flavour, str) else flavour
        lines = [self._line(text, tokens) for text in texts]
        for column in zip_longest(*lines, fillvalue=empty_chunk(tokens)):
            ids = [_pad_after_end(chunk.tokens, tokens) for chunk in column]
            device = self.model.device
            multipliers = torch.tensor([c.multipliers for c in column], device=device)
            yield torch.tensor(ids, device=device), multipliers, self.inversions.edit(tower, column)
        self.inversions.encoded()

    def _line(self, text: str, tokens: Tokenizer) -> list[PromptChunk]:
        s = self.settings
        attention, embeddings = parses_attention(s.emphasis), self.inversions.lookup(tokens)
        if s.use_old_emphasis_implementation:
            line = tokenize_line_old(text, tokens, attention=attention, embeddings=embeddings)
            self.remarks += [line.comment] if line.comment else []
            return [line.chunk]
        backtrack = int(s.comma_padding_backtrack)
        return tokenize_line(text, tokens, attention=attention, comma_padding_backtrack=backtrack, embeddings=embeddings)[0]

    def emphasised(self, states: Tensor, multipliers: Tensor) -> Tensor:
        """States [B, 77, width] weighted by multipliers [B, 77] as the setting `emphasis` says, float32."""
        return apply_emphasis(states.float(), multipliers, self.settings.emphasis)

    def _skip_l(self, states: TextStates) -> Tensor:
        skip = int(self.settings.CLIP_stop_at_last_layers)
        assert self.checkpoint.text_l is not None
        return states.last if skip <= 1 else self.checkpoint.text_l.final_norm(states.hidden[-skip])

    def _skip_l_sdxl(self, states: TextStates) -> Tensor:
        skip = int(self.settings.CLIP_stop_at_last_layers) if self.settings.sdxl_clip_l_skip else 2
        return states.hidden[-max(skip, 1)]

    def _tower_l(self, texts: list[str], layer: Callable[[TextStates], Tensor]) -> Tensor:
        tower = self.checkpoint.text_l
        assert tower is not None
        parts = [self.emphasised(layer(tower(ids, embed)), weights) for ids, weights, embed in self.chunks(texts, "clip")]
        return torch.cat(parts, dim=1)

    def _tower_g(self, texts: list[str]) -> tuple[Tensor, Tensor | None]:
        """SD2's and the refiner's tower: the penultimate block; the pooled vector only where the family uses one."""
        tower = self.checkpoint.text_g
        assert tower is not None
        pooled: Tensor | None = None
        parts = []
        own: Tower = "clip_l" if self.checkpoint.text_l is None else "clip_g"
        for ids, weights, embed in self.chunks(texts, "open_clip", own):
            states = tower(ids, embed)
            state = states.hidden[-2] if self.model.is_sdxl else tower.final_norm(states.hidden[-2])
            parts.append(self.emphasised(state, weights))
            if pooled is None and self.model.is_sdxl:
                pooled = tower.pooled(ids, states.hidden[-1]).float()
        return torch.cat(parts, dim=1), pooled

    def _tower_x(self, texts: list[str]) -> Tensor:
        """AltDiffusion's tower, whose projection belongs to its last layer: clip skip does not apply."""
        tower = self.checkpoint.text_x
        assert tower is not None
        tokens: Any = xlmr_tokenizer(self.checkpoint.companions)
        parts = [self.emphasised(tower(ids, embed=embed).projection, weights) for ids, weights, embed in self.chunks(texts, tokens)]
        return torch.cat(parts, dim=1)

    def _sdxl(self, texts: list[str]) -> tuple[Tensor, Tensor | None]:
        first = self._tower_l(texts, self._skip_l_sdxl)
        second, pooled = self._tower_g(texts)
        return torch.cat([first, second], dim=2), pooled

    def _size_vector(self, size: SizeConditioning) -> Tensor:
        """Embedded scalars [1, n·256]; held in the model's precision first.  # A1111: fp16 rounds sizes over 2048"""
        scalars: list[float] = [size.height, size.width, size.crop_top, size.crop_left]
        scalars += [size.aesthetic] if self.model.spec.family == "sdxl-refiner" else [size.height, size.width]
        values = torch.tensor(scalars, device=self.model.device, dtype=self.model.unet_dtype).float()
        return timestep_embedding(values, SIZE_EMBEDDING).reshape(1, -1)


def _pad_after_end(ids: list[int], tokens: Tokenizer) -> list[int]:
    """Everything behind the first end token becomes the padding id."""
    end = ids.index(tokens.end_id)
    return ids[: end + 1] + [tokens.pad_id] * (len(ids) - end - 1)
