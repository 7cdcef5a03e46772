"""Attention blocks of the latent-diffusion UNet (Rombach et al. 2022, section 3.3; Vaswani et al. 2017)."""
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.attention_methods import fused, mix


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, *, causal: bool = False) -> Tensor:
    """Multi-head scaled dot-product attention: [B, Tq, H*D], [B, Tk, H*D], [B, Tk, H*D] -> [B, Tq, H*D].

    The split into heads and the way back are views where the tensors are contiguous. How it is computed is
    `attention_methods`' choice; causal attention, which only short texts have, is always torch's own.
    """
    query, key, value = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (query, key, value))
    mixed = fused(query, key, value, causal=True) if causal else mix(query, key, value)
    return mixed.transpose(1, 2).flatten(2)


class CrossAttention(nn.Module):
    """Attention of tokens [B, T, query_dim] to a context [B, S, context_dim], or to themselves when there is none."""

    def __init__(self, query_dim: int, context_dim: int | None, heads: int) -> None:
        super().__init__()
        context_dim = query_dim if context_dim is None else context_dim
        self.heads = heads
        self.to_q = nn.Linear(query_dim, query_dim, bias=False)
        self.to_k = nn.Linear(context_dim, query_dim, bias=False)
        self.to_v = nn.Linear(context_dim, query_dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(query_dim, query_dim), nn.Identity())

    def contexts(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """What the keys and what the values are made from; the place for whoever wants to change the context (hypernetworks)."""
        return context, context

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        for_key, for_value = self.contexts(x if context is None else context)
        return self.to_out(attend(self.to_q(x), self.to_k(for_key), self.to_v(for_value), self.heads))


class GEGLU(nn.Module):
    """Gated linear unit with an exact GELU gate (Shazeer 2020): [..., dim_in] -> [..., dim_out]."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim_in, dim_out * 2)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        if torch.is_grad_enabled():
            return value * functional.gelu(gate)
        return functional.gelu(gate).mul_(value)


class FeedForward(nn.Module):
    """Token-wise network with a GEGLU hidden layer four times as wide: [B, T, dim] -> [B, T, dim]."""

    PIECE = 2048
    """Tokens at a time on a processor: the hidden layer of more leaves the cache and makes up the peak of memory."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GEGLU(dim, dim * 4), nn.Identity(), nn.Linear(dim * 4, dim))

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or torch.is_grad_enabled() or x.shape[0] * x.shape[1] <= self.PIECE:
            return self.net(x)
        return torch.cat([self.net(piece) for piece in x.flatten(0, 1).split(self.PIECE)]).view(x.shape)


class BasicTransformerBlock(nn.Module):
    """Self-attention, cross-attention and feed-forward, each behind its own norm and added to its input."""

    def __init__(self, dim: int, heads: int, context_dim: int) -> None:
        super().__init__()
        self.attn1 = CrossAttention(dim, None, heads)
        self.ff = FeedForward(dim)
        self.attn2 = CrossAttention(dim, context_dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.norm3 = nn.LayerNorm(dim)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = self.attn1(self.norm1(x)) + x
        x = self.attn2(self.norm2(x), context) + x
        return self.ff(self.norm3(x)) + x


class SpatialTransformer(nn.Module):
    """Transformer over the cells of a feature map [B, C, h, w], its result added to the map.

    `use_linear` projects in and out with matrices (SD2, SDXL) in place of 1x1 convolutions (SD1); the arithmetic is the
    same. On a map in channels_last format the change to tokens and back costs nothing.
    """

    def __init__(self, channels: int, heads: int, depth: int, context_dim: int, use_linear: bool) -> None:
        super().__init__()
        self.use_linear = use_linear
        self.norm = nn.GroupNorm(32, channels, eps=1e-6)
        self.proj_in: nn.Module = nn.Linear(channels, channels) if use_linear else nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList(BasicTransformerBlock(channels, heads, context_dim) for _ in range(depth))
        self.proj_out: nn.Module = nn.Linear(channels, channels) if use_linear else nn.Conv2d(channels, channels, 1)
        for parameter in self.proj_out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        size = x.shape[2:]
        tokens = _to_tokens(self.norm(x)) if self.use_linear else self.norm(x)
        tokens = self.proj_in(tokens) if self.use_linear else _to_tokens(self.proj_in(tokens))
        for block in self.transformer_blocks:
            tokens = block(tokens, context)
        added = _to_map(self.proj_out(tokens), size) if self.use_linear else self.proj_out(_to_map(tokens, size))
        return added + x


def _to_tokens(feature_map: Tensor) -> Tensor:
    """[B, C, h, w] -> [B, h*w, C]."""
    return feature_map.flatten(2).transpose(1, 2)


def _to_map(tokens: Tensor, size: tuple[int, ...]) -> Tensor:
    """[B, h*w, C] -> [B, C, h, w]."""
    return tokens.transpose(1, 2).unflatten(2, tuple(size))
