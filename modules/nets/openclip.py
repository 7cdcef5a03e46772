"""CLIP's text tower in the layout of open_clip: SD2's encoder (ViT-H/14) and SDXL's second one (ViT-bigG/14)."""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.attention import attend
from modules.nets.configs import OpenCLIPTextConfig
from modules.nets.text_states import EmbeddingEdit, TextStates, activation, at_first_end

__all__ = ["OpenCLIPTextConfig", "OpenCLIPTextModel", "TextStates"]


class OpenCLIPTextModel(nn.Module):
    """Token ids -> states of every layer.

    Attribute names are the checkpoint's keys under `cond_stage_model.model.` (SD2) and `conditioner.embedders.N.model.` (SDXL).
    """

    def __init__(self, config: OpenCLIPTextConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab, config.width)
        self.positional_embedding = nn.Parameter(torch.randn(config.positions, config.width) * 0.01)
        self.transformer = Transformer(config)
        self.ln_final = nn.LayerNorm(config.width)
        self.text_projection = nn.Parameter(torch.randn(config.width, config.embed_dim) * config.width**-0.5)
        self.logit_scale = nn.Parameter(torch.full((), math.log(1 / 0.07)))

    def forward(self, ids: Tensor, embed: EmbeddingEdit | None = None) -> TextStates:
        """States of ids [B, T], T up to `config.positions`; `embed` may edit the token embeddings before positions are added."""
        tokens = self.token_embedding(ids)
        if embed is not None:
            tokens = embed(tokens)
        hidden = [tokens + self.positional_embedding[: tokens.shape[1]]]
        for block in self.transformer.resblocks:
            hidden.append(block(hidden[-1]))
        return TextStates(hidden, self.final_norm(hidden[-1]))

    def final_norm(self, hidden: Tensor) -> Tensor:
        """The norm behind the last layer, applied to any layer's state [B, T, width]."""
        return self.ln_final(hidden)

    def pooled(self, ids: Tensor, last_hidden: Tensor) -> Tensor:
        """Final norm of last_hidden [B, T, width] at the first end token of ids [B, T], projected: [B, embed_dim]."""
        return self.final_norm(at_first_end(ids, last_hidden)) @ self.text_projection


class Transformer(nn.Module):
    """The layers under their name in the checkpoint."""

    def __init__(self, config: OpenCLIPTextConfig) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(ResidualAttentionBlock(config) for _ in range(config.layers))


class ResidualAttentionBlock(nn.Module):
    """Self-attention (causal in text towers) and feed-forward, each behind its norm and added to its input."""

    def __init__(self, config: OpenCLIPTextConfig, *, causal: bool = True) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width)
        self.attn = FusedSelfAttention(config.width, config.heads, causal=causal)
        self.ln_2 = nn.LayerNorm(config.width)
        self.mlp = FeedForward(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class FusedSelfAttention(nn.Module):
    """Self-attention whose query, key and value matrices lie one below the other in `in_proj_weight`."""

    def __init__(self, width: int, heads: int, *, causal: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) * width**-0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = functional.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        return self.out_proj(attend(query, key, value, self.heads, causal=self.causal))


class FeedForward(nn.Module):
    """Two matrices around the tower's activation."""

    def __init__(self, config: OpenCLIPTextConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.width, int(config.width * config.mlp_ratio))
        self.c_proj = nn.Linear(int(config.width * config.mlp_ratio), config.width)
        self.activation = activation(config.act)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(self.activation(self.c_fc(x)))
