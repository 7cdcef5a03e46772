"""Texts -> conditionings, the way each model family wants them (generation.md §1.3, §1.7 and §1.10 of the reference)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules.nets.unet import timestep_embedding
from modules.pipeline.model import Cond, DiffusionModel
from modules.prompt.chunking import PromptChunk, chunk_texts
from modules.prompt.emphasis import apply_emphasis
from modules.prompt.tokenizer import Tokenizer

if TYPE_CHECKING:
    from modules.nets.text_states import TextStates
    from modules.settings.store import SettingsView

OPENCLIP_PAD = 0
SIZE_EMBEDDING = 256


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    """The CLIP tokenizer; its vocabulary is read once."""
    return Tokenizer()


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

    def __init__(self, model: DiffusionModel, settings: SettingsView) -> None:
        self.model = model
        self.settings = settings
        self.checkpoint = model.checkpoint

    @torch.inference_mode()
    def encode(self, texts: list[str], size: SizeConditioning, *, negative: bool = False) -> list[Cond]:
        """Conditionings of texts that belong together: the variants of one prompt over the steps.

        They are encoded as one batch, since A1111's emphasis restores means over the whole of it.
        `negative` marks a negative prompt: SDXL turns an empty one into zeros.
        """
        chunks = self._chunks(texts)
        if self.checkpoint.text_l is not None and self.checkpoint.text_g is not None:
            cross, pooled = self._sdxl(chunks)
        elif self.checkpoint.text_l is not None:
            cross, pooled = self._tower_l(chunks, self._skip_l), None
        else:
            cross, pooled = self._tower_g(chunks)
        if pooled is None:
            return [Cond(row) for row in cross]
        if negative and self.checkpoint.text_l is not None and all(text == "" for text in texts):
            # A1111: an exactly empty negative prompt is no text at all on SDXL, pooled vector included
            cross, pooled = torch.zeros_like(cross), torch.zeros_like(pooled)
        vectors = torch.cat([pooled, self._size_vector(size).expand(len(texts), -1)], dim=1)
        return [Cond(row, vector) for row, vector in zip(cross, vectors, strict=True)]

    def _chunks(self, texts: list[str]) -> list[list[PromptChunk]]:
        s = self.settings
        return chunk_texts(
            tokenizer(),
            texts,
            comma_padding_backtrack=int(s.comma_padding_backtrack),
            emphasis=s.emphasis,
            old_emphasis=bool(s.use_old_emphasis_implementation),
        )

    def _rows(self, chunks: list[list[PromptChunk]], index: int, pad: int | None = None) -> tuple[Tensor, Tensor]:
        """Ids [B, 77] and multipliers [B, 77] of the chunk with this index of every text."""
        column = [text[index] for text in chunks]
        ids = [_pad_after_end(c.tokens, pad) if pad is not None else c.tokens for c in column]
        device = self.model.device
        return torch.tensor(ids, device=device), torch.tensor([c.multipliers for c in column], device=device)

    def _emphasised(self, states: Tensor, multipliers: Tensor) -> Tensor:
        return apply_emphasis(self.settings.emphasis, states.float(), multipliers)

    def _skip_l(self, states: TextStates) -> Tensor:
        skip = int(self.settings.CLIP_stop_at_last_layers)
        assert self.checkpoint.text_l is not None
        return states.last if skip <= 1 else self.checkpoint.text_l.final_norm(states.hidden[-skip])

    def _skip_l_sdxl(self, states: TextStates) -> Tensor:
        skip = int(self.settings.CLIP_stop_at_last_layers) if self.settings.sdxl_clip_l_skip else 2
        return states.hidden[-max(skip, 1)]

    def _tower_l(self, chunks: list[list[PromptChunk]], layer: Any) -> Tensor:
        assert self.checkpoint.text_l is not None
        parts = []
        for index in range(len(chunks[0])):
            ids, multipliers = self._rows(chunks, index)
            parts.append(self._emphasised(layer(self.checkpoint.text_l(ids)), multipliers))
        return torch.cat(parts, dim=1)

    def _tower_g(self, chunks: list[list[PromptChunk]]) -> tuple[Tensor, Tensor | None]:
        """SD2's and the refiner's tower: the penultimate block; the pooled vector only where the family uses one."""
        tower = self.checkpoint.text_g
        assert tower is not None
        wants_norm = not self.model.is_sdxl
        parts, pooled = [], None
        for index in range(len(chunks[0])):
            ids, multipliers = self._rows(chunks, index, pad=OPENCLIP_PAD)
            states = tower(ids)
            state = tower.final_norm(states.hidden[-2]) if wants_norm else states.hidden[-2]
            parts.append(self._emphasised(state, multipliers))
            if index == 0 and self.model.is_sdxl:
                pooled = tower.pooled(ids, states.hidden[-1]).float()
        return torch.cat(parts, dim=1), pooled

    def _sdxl(self, chunks: list[list[PromptChunk]]) -> tuple[Tensor, Tensor]:
        first = self._tower_l(chunks, self._skip_l_sdxl)
        second, pooled = self._tower_g(chunks)
        assert pooled is not None
        return torch.cat([first, second], dim=2), pooled

    def _size_vector(self, size: SizeConditioning) -> Tensor:
        """Embedded scalars [1, n·256]; held in the model's precision first.  # A1111: fp16 rounds sizes over 2048"""
        scalars: list[float] = [size.height, size.width, size.crop_top, size.crop_left]
        scalars += [size.aesthetic] if self.model.spec.family == "sdxl-refiner" else [size.height, size.width]
        values = torch.tensor(scalars, device=self.model.device, dtype=self.model.unet_dtype).float()
        return timestep_embedding(values, SIZE_EMBEDDING).reshape(1, -1)


def _pad_after_end(tokens: list[int], pad: int) -> list[int]:
    """Everything behind the first end token becomes the padding id."""
    end = tokens.index(max(tokens))
    return tokens[: end + 1] + [pad] * (len(tokens) - end - 1)
