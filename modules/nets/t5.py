"""The encoder of T5 v1.1 (Raffel et al. 2020; Shazeer 2020 for the gated unit): Stable Diffusion 3's third text encoder."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.configs import T5Config

__all__ = ["T5Config", "T5Encoder"]

MAX_DISTANCE = 128
NORM_EPS = 1e-6


class T5Encoder(nn.Module):
    """Token ids -> states; attribute names are the keys of `t5xxl_*.safetensors`. There is no padding mask, as SD3 uses it."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.config = config
        self.encoder = Stack(config)

    def forward(self, ids: Tensor) -> Tensor:
        """States [B, T, width], normalised, of ids [B, T] of any length."""
        return self.encoder(ids)


class Stack(nn.Module):
    """Embeddings, layers and the final norm; the distances' biases of the first layer count in all of them."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab, config.width)
        self.block = nn.ModuleList(Block(config, has_bias=i == 0) for i in range(config.layers))
        self.final_layer_norm = RMSNorm(config.width)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed_tokens(ids)
        first: Any = self.block[0]
        bias = first.layer[0].SelfAttention.bias(ids.shape[1])
        for block in self.block:
            x = block(x, bias)
        return self.final_layer_norm(x)


class Block(nn.Module):
    """Self-attention and feed-forward under their names in the checkpoint, `layer.0` and `layer.1`."""

    def __init__(self, config: T5Config, *, has_bias: bool) -> None:
        super().__init__()
        self.layer = nn.ModuleList([AttentionLayer(config, has_bias=has_bias), FeedForwardLayer(config)])

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.layer[1](self.layer[0](x, bias))


class AttentionLayer(nn.Module):
    """Attention behind its norm, added to its input."""

    def __init__(self, config: T5Config, *, has_bias: bool) -> None:
        super().__init__()
        self.SelfAttention = SelfAttention(config, has_bias=has_bias)
        self.layer_norm = RMSNorm(config.width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return x + self.SelfAttention(self.layer_norm(x), bias)


class SelfAttention(nn.Module):
    """Unscaled attention with a bias for each distance between tokens."""

    def __init__(self, config: T5Config, *, has_bias: bool) -> None:
        super().__init__()
        self.heads, self.buckets = config.heads, config.buckets
        self.q = nn.Linear(config.width, config.inner, bias=False)
        self.k = nn.Linear(config.width, config.inner, bias=False)
        self.v = nn.Linear(config.width, config.inner, bias=False)
        self.o = nn.Linear(config.inner, config.width, bias=False)
        if has_bias:
            self.relative_attention_bias = nn.Embedding(config.buckets, config.heads)

    def bias(self, length: int) -> Tensor:
        """Biases [1, heads, length, length] of every pair of positions."""
        table = self.relative_attention_bias
        positions = torch.arange(length, device=table.weight.device)
        bucket = distance_bucket(positions[None] - positions[:, None], self.buckets)
        return table(bucket).permute(2, 0, 1)[None]

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        query, key, value = (part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.q, self.k, self.v))
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype), scale=1.0)
        return self.o(mixed.transpose(1, 2).flatten(2))


class FeedForwardLayer(nn.Module):
    """Gated unit behind its norm, added to its input."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.DenseReluDense = GatedUnit(config)
        self.layer_norm = RMSNorm(config.width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.DenseReluDense(self.layer_norm(x))


class GatedUnit(nn.Module):
    """wo(gelu(wi_0 x) · wi_1 x), with the tanh form of GELU."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.wi_0 = nn.Linear(config.width, config.hidden, bias=False)
        self.wi_1 = nn.Linear(config.width, config.hidden, bias=False)
        self.wo = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.wo(functional.gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x))


class RMSNorm(nn.Module):
    """x divided by its root mean square over the last axis, which is taken in float32; no mean, no bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        variance = x.float().pow(2).mean(-1, keepdim=True)
        return self.weight * (x * torch.rsqrt(variance + NORM_EPS)).to(self.weight.dtype)


def distance_bucket(distance: Tensor, buckets: int) -> Tensor:
    """The bucket 0 … buckets-1 of each key's position minus its query's: half for either direction, the near distances one
    by one, the far ones in logarithmic steps up to 128."""
    half = buckets // 2
    ahead = (distance > 0).long() * half
    distance = distance.abs()
    exact = half // 2
    steps = torch.log(distance.float().clamp(min=1) / exact) / math.log(MAX_DISTANCE / exact) * (half - exact)
    far = (exact + steps.long()).clamp(max=half - 1)
    return ahead + torch.where(distance < exact, distance, far)
