"""XLM-RoBERTa with a projection (Conneau et al. 2020; Chen et al. 2022): the multilingual text encoder of AltDiffusion."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.configs import XLMRConfig
from modules.nets.text_states import EmbeddingEdit

__all__ = ["PAD", "XLMRConfig", "XLMRStates", "XLMRTextModel"]

PAD = 1
NORM_EPS = 1e-5


@dataclass(frozen=True)
class XLMRStates:
    """`hidden` has layers+1 tensors [B, T, width], the first being the embeddings; `projection` [B, T, project_dim] is the conditioning."""

    hidden: list[Tensor]
    projection: Tensor


class XLMRTextModel(nn.Module):
    """Token ids -> states; attribute names are the checkpoint's keys under `cond_stage_model.`."""

    def __init__(self, config: XLMRConfig) -> None:
        super().__init__()
        self.config = config
        self.roberta = Roberta(config)
        self.transformation = nn.Linear(config.width, config.project_dim)
        self.pre_LN = nn.LayerNorm(config.width, eps=NORM_EPS)
        if config.pre_transformation:
            self.transformation_pre = nn.Linear(config.width, config.project_dim)

    def forward(self, ids: Tensor, mask: Tensor | None = None, embed: EmbeddingEdit | None = None) -> XLMRStates:
        """States of ids [B, T]; `mask` [B, T] is 0 where there is nothing to attend to (default: at padding)."""
        mask = ids.ne(PAD) if mask is None else mask.bool()
        hidden = [self.roberta.embeddings(ids, embed)]
        for layer in self.roberta.encoder.layer:
            hidden.append(layer(hidden[-1], mask))
        if self.config.pre_transformation:
            return XLMRStates(hidden, self.transformation_pre(self.pre_LN(hidden[-2])))
        return XLMRStates(hidden, self.transformation(hidden[-1]))


class Roberta(nn.Module):
    """The encoder under its names in the checkpoint; the pooler is part of the files and unused."""

    def __init__(self, config: XLMRConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.pooler = Dense(config.width, config.width)


class Encoder(nn.Module):
    """The layers under their name in the checkpoint."""

    def __init__(self, config: XLMRConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.layers))


class Embeddings(nn.Module):
    """Token, position and type embeddings, normalised: ids [B, T] -> [B, T, width]."""

    position_ids: Tensor

    def __init__(self, config: XLMRConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab, config.width)
        self.position_embeddings = nn.Embedding(config.positions, config.width)
        self.token_type_embeddings = nn.Embedding(1, config.width)
        self.LayerNorm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.register_buffer("position_ids", torch.arange(config.positions)[None])

    def forward(self, ids: Tensor, embed: EmbeddingEdit | None = None) -> Tensor:
        words = self.word_embeddings(ids)
        if embed is not None:
            words = embed(words)
        real = ids.ne(PAD).long()
        positions = real.cumsum(dim=1) * real + PAD
        return self.LayerNorm(words + self.token_type_embeddings.weight[0] + self.position_embeddings(positions))


class Layer(nn.Module):
    """Self-attention and feed-forward, each added to its input and then normalised."""

    def __init__(self, config: XLMRConfig) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.intermediate = Dense(config.width, config.hidden)
        self.output = DenseNorm(config.hidden, config.width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.attention(x, mask)
        return self.output(functional.gelu(self.intermediate(x)), x)


class Attention(nn.Module):
    """Self-attention over the unmasked tokens, its result added and normalised."""

    def __init__(self, config: XLMRConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.self = Projections(config.width)
        self.output = DenseNorm(config.width, config.width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        own = self.self
        query, key, value = (part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (own.query, own.key, own.value))
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
        return self.output(mixed.transpose(1, 2).flatten(2), x)


class Projections(nn.Module):
    """Query, key and value under their names in the checkpoint."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)


class Dense(nn.Module):
    """A matrix under the name `dense`."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.dense = nn.Linear(dim_in, dim_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(x)


class DenseNorm(nn.Module):
    """norm(dense(x) + residual)."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.dense = nn.Linear(dim_in, dim_out)
        self.LayerNorm = nn.LayerNorm(dim_out, eps=NORM_EPS)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + residual)
