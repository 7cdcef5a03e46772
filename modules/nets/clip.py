"""CLIP's text tower in the layout of transformers (Radford et al. 2021): SD1's encoder and SDXL's first one."""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from modules.nets.attention import attend
from modules.nets.configs import CLIPTextConfig
from modules.nets.text_states import EmbeddingEdit, TextStates, activation, at_first_end

__all__ = ["CLIPTextConfig", "CLIPTextModel", "TextStates"]


class CLIPTextModel(nn.Module):
    """Token ids -> states of every layer; attribute names are the checkpoint's keys under `cond_stage_model.transformer.`."""

    def __init__(self, config: CLIPTextConfig) -> None:
        super().__init__()
        self.config = config
        self.text_model = TextTransformer(config)
        if config.projection_dim is not None:
            self.text_projection = nn.Linear(config.width, config.projection_dim, bias=False)

    def forward(self, ids: Tensor, embed: EmbeddingEdit | None = None) -> TextStates:
        """States of ids [B, T], T up to `config.positions`; `embed` may edit the token embeddings before positions are added."""
        hidden = [self.text_model.embeddings(ids, embed)]
        for layer in self.text_model.encoder.layers:
            hidden.append(layer(hidden[-1]))
        return TextStates(hidden, self.final_norm(hidden[-1]))

    def final_norm(self, hidden: Tensor) -> Tensor:
        """The norm behind the last layer, applied to any layer's state [B, T, width]."""
        return self.text_model.final_layer_norm(hidden)

    def pooled(self, ids: Tensor, last_hidden: Tensor) -> Tensor:
        """Final norm of last_hidden [B, T, width] at the first end token of ids [B, T], projected where there is a matrix for it.

        Shape [B, width], or [B, projection_dim].
        """
        state = self.final_norm(at_first_end(ids, last_hidden))
        return state if self.config.projection_dim is None else self.text_projection(state)


class TextTransformer(nn.Module):
    """Embeddings, layers and the final norm under their names in the checkpoint; CLIPTextModel runs them."""

    def __init__(self, config: CLIPTextConfig) -> None:
        super().__init__()
        self.embeddings = TextEmbeddings(config)
        self.encoder = Encoder(config)
        self.final_layer_norm = nn.LayerNorm(config.width)


class Encoder(nn.Module):
    """The layers under their name in the checkpoint."""

    def __init__(self, config: CLIPTextConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))


class TextEmbeddings(nn.Module):
    """Token embedding plus position embedding: ids [B, T] -> [B, T, width]."""

    position_ids: Tensor

    def __init__(self, config: CLIPTextConfig) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab, config.width)
        self.position_embedding = nn.Embedding(config.positions, config.width)
        self.register_buffer("position_ids", torch.arange(config.positions)[None])

    def forward(self, ids: Tensor, embed: EmbeddingEdit | None = None) -> Tensor:
        tokens = self.token_embedding(ids)
        if embed is not None:
            tokens = embed(tokens)
        return tokens + self.position_embedding(self.position_ids[:, : tokens.shape[1]])

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        """Takes position ids of any type, or none at all.

        A1111: many merged SD1 files hold them as fractions (40.9999), which counting down to integers shifts by one; their pictures
        depend on it.
        """
        key = prefix + "position_ids"
        positions = state_dict.get(key)
        if positions is None:
            positions = torch.arange(self.position_embedding.num_embeddings, device="cpu")[None]
        state_dict[key] = positions.long()
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class EncoderLayer(nn.Module):
    """Causal self-attention and feed-forward, each behind its norm and added to its input."""

    def __init__(self, config: CLIPTextConfig) -> None:
        super().__init__()
        self.self_attn = SelfAttention(config.width, config.heads)
        self.layer_norm1 = nn.LayerNorm(config.width)
        self.mlp = FeedForward(config)
        self.layer_norm2 = nn.LayerNorm(config.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class SelfAttention(nn.Module):
    """Causal multi-head self-attention: [B, T, width] -> [B, T, width]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_proj(attend(self.q_proj(x), self.k_proj(x), self.v_proj(x), self.heads, causal=True))


class FeedForward(nn.Module):
    """Two matrices around the tower's activation."""

    def __init__(self, config: CLIPTextConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.width)
        self.activation = activation(config.act)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.activation(self.fc1(x)))
