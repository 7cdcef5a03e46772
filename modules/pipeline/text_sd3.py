"""Stable Diffusion 3's texts: CLIP-L beside bigG, and T5 behind them (generation.md §1.10 of the reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from modules.nets.text_states import at_first_end
from modules.pipeline.model import Cond
from modules.prompt.attention import BREAK, attention_segments
from modules.prompt.emphasis import parses_attention
from modules.prompt.vocabularies import T5_FILES, t5_tokenizer, where_to_put
from modules.weights.companions import where_to_put as where_to_put_weights

if TYPE_CHECKING:
    from modules.pipeline.text import TextConditioner

PENULTIMATE = -2


def encode_sd3(conditioner: TextConditioner, texts: list[str]) -> list[Cond]:
    """Conditionings [2·77n, context_dim] with vectors [adm] of texts that belong together."""
    clip, pooled = _clip(conditioner, texts)
    width = conditioner.model.spec.unet.context_dim
    clip = functional.pad(clip, (0, width - clip.shape[2]))
    t5 = _t5(conditioner, texts, clip.shape[1], width).to(clip)
    return [Cond(row, vector) for row, vector in zip(torch.cat([clip, t5], dim=1), pooled, strict=True)]


def _clip(conditioner: TextConditioner, texts: list[str]) -> tuple[Tensor, Tensor]:
    """The last but one states of both towers [B, 77n, 2048], weighted as one, and their pooled states of the first chunk [B, 2048]."""
    tower_l, tower_g = conditioner.checkpoint.text_l, conditioner.checkpoint.text_g
    assert tower_l is not None and tower_g is not None
    parts: list[Tensor] = []
    pooled: Tensor | None = None
    chunks = zip(conditioner.chunks(texts, "clip", "clip_l"), conditioner.chunks(texts, "clip", "clip_g"), strict=True)
    for (ids, weights, embed_l), (_, _, embed_g) in chunks:
        ids_g = _zeros_after_end(ids)
        states_l, states_g = tower_l(ids, embed_l), tower_g(ids_g, embed_g)
        joined = torch.cat([states_l.hidden[PENULTIMATE], states_g.hidden[PENULTIMATE]], dim=2)
        parts.append(conditioner.emphasised(joined, weights))
        if pooled is None:
            # A1111: L's vector is taken before its projection, bigG's behind it
            vectors = [at_first_end(ids, states_l.last), tower_g.pooled(ids_g, states_g.hidden[-1])]
            pooled = torch.cat(vectors, dim=1).float()
    assert pooled is not None
    return torch.cat(parts, dim=1), pooled


def _zeros_after_end(ids: Tensor) -> Tensor:
    """bigG's form of CLIP-L's ids [B, 77]: 0 in place of the end tokens that only pad."""
    end = ids.argmax(dim=1, keepdim=True)
    return ids.masked_fill(torch.arange(ids.shape[1], device=ids.device) > end, 0)


def _t5(conditioner: TextConditioner, texts: list[str], length: int, width: int) -> Tensor:
    """T5's states [B, length, width]; zeros unless the setting asks for T5 and its files are there."""
    tower, folder = conditioner.checkpoint.text_t5, conditioner.checkpoint.companions
    zeros = torch.zeros(len(texts), length, width)
    if not conditioner.settings.sd3_enable_t5:
        return zeros
    tokens = t5_tokenizer(folder)
    if tower is None or tokens is None:
        cure = where_to_put_weights(["text_t5"], folder) if tower is None else where_to_put(folder, T5_FILES, "T5")
        conditioner.remarks.append(f"T5 was left out: {cure}")
        return zeros
    attention = parses_attention(conditioner.settings.emphasis)
    rows = []
    for text in texts:
        # A1111: weights and BREAK mean nothing to T5, whose text is cut to CLIP's length
        segments = attention_segments(text) if attention else [(text, 1.0)]
        ids = [index for segment in segments if segment != BREAK for index in tokens.encode(segment[0])]
        ids = [*ids, tokens.end_id][:length]
        rows.append(ids + [tokens.pad_id] * (length - len(ids)))
    return tower(torch.tensor(rows, device=conditioner.model.device)).float()
