"""The multimodal diffusion transformer of Stable Diffusion 3 (Esser et al. 2024, section 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.attention import attend
from modules.nets.configs import MMDiTConfig
from modules.nets.unet_blocks import timestep_embedding

__all__ = ["MMDiT", "MMDiTConfig"]

FREQUENCIES = 256
NORM_EPS = 1e-6


class MMDiT(nn.Module):
    """Predicts the flow from a noisy latent; attribute names are the checkpoint's keys under `model.diffusion_model.`."""

    pos_embed: Tensor
    compute_dtype: torch.dtype | None = None
    """Type to compute in where it is not that of the weights (modules/nets/casting.py)."""

    def __init__(self, config: MMDiTConfig) -> None:
        super().__init__()
        self.config = config
        self.x_embedder = PatchEmbed(config)
        self.t_embedder = VectorEmbedder(FREQUENCIES, config.hidden)
        self.y_embedder = VectorEmbedder(config.adm_in_channels, config.hidden)
        self.context_embedder = nn.Linear(config.context_dim, config.hidden)
        self.register_buffer("pos_embed", torch.zeros(1, config.pos_side**2, config.hidden))
        self.joint_blocks = nn.ModuleList(JointBlock(config, last=i == config.depth - 1) for i in range(config.depth))
        self.final_layer = FinalLayer(config)

    @property
    def dtype(self) -> torch.dtype:
        """Type in which the network computes: that of its weights, unless it was told another."""
        return self.compute_dtype or self.x_embedder.proj.weight.dtype

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor | None = None, y: Tensor | None = None) -> Tensor:
        """Flow [B, out_channels, h, w], in x's type, of a noisy latent x [B, in_channels, h, w]; an incomplete patch is made whole.

        timesteps [B] are 1000·σ; context is [B, T, context_dim], y [B, adm_in_channels]. Raises ValueError when one is missing.
        """
        if context is None or y is None:
            raise ValueError("this network needs a text conditioning and a vector y")
        height, width = x.shape[2:]
        size = self.config.patch_size
        whole = functional.pad(x, (0, -width % size, 0, -height % size), mode="circular")
        rows, columns = (side // size for side in whole.shape[2:])
        tokens = self.x_embedder(whole.to(self.dtype)) + self.positions(rows, columns)
        embedded = self.t_embedder(timestep_embedding(timesteps, FREQUENCIES).to(self.dtype))
        vector = embedded + self.y_embedder(y.to(self.dtype))
        text: Tensor | None = self.context_embedder(context.to(self.dtype))
        for block in self.joint_blocks:
            text, tokens = block(text, tokens, vector)
        return self._to_map(self.final_layer(tokens, vector), rows, columns)[:, :, :height, :width].to(x.dtype)

    def positions(self, rows: int, columns: int) -> Tensor:
        """The middle [1, rows*columns, hidden] of the table of positions; raises ValueError when the latent is larger than the table."""
        side = self.config.pos_side
        if rows > side or columns > side:
            limit = side * self.config.patch_size * 8
            raise ValueError(f"this model makes pictures of at most {limit} pixels a side")
        top, left = (side - rows) // 2, (side - columns) // 2
        table = self.pos_embed.view(side, side, -1)[top : top + rows, left : left + columns]
        return table.reshape(1, rows * columns, -1).to(self.dtype)

    def _to_map(self, patches: Tensor, rows: int, columns: int) -> Tensor:
        """[B, rows*columns, p*p*C] -> [B, C, p*rows, p*columns]."""
        size = self.config.patch_size
        grid = patches.unflatten(2, (size, size, -1)).unflatten(1, (rows, columns))
        return grid.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)


class PatchEmbed(nn.Module):
    """A latent cut into square patches: [B, C, h, w] -> [B, h/p*w/p, hidden]."""

    def __init__(self, config: MMDiTConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(config.in_channels, config.hidden, config.patch_size, stride=config.patch_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class VectorEmbedder(nn.Module):
    """Two matrices around a SiLU: [B, dim_in] -> [B, hidden]."""

    def __init__(self, dim_in: int, hidden: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(dim_in, hidden), nn.SiLU(), nn.Linear(hidden, hidden))

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(x)


class JointBlock(nn.Module):
    """One layer over both streams, text and picture, which meet in a common attention."""

    def __init__(self, config: MMDiTConfig, *, last: bool) -> None:
        super().__init__()
        self.heads = config.heads
        self.context_block = StreamBlock(config, keeps_going=not last)
        self.x_block = StreamBlock(config, keeps_going=True)

    def forward(self, context: Tensor, x: Tensor, vector: Tensor) -> tuple[Tensor | None, Tensor]:
        """New text [B, T, hidden] (None behind the last layer) and picture tokens [B, N, hidden]."""
        text_qkv, text_rest = self.context_block.before(context, vector)
        image_qkv, image_rest = self.x_block.before(x, vector)
        query, key, value = (torch.cat(pair, dim=1) for pair in zip(text_qkv, image_qkv, strict=True))
        mixed = attend(query, key, value, self.heads)
        tokens = context.shape[1]
        text = self.context_block.after(context, mixed[:, :tokens], text_rest) if self.context_block.keeps_going else None
        return text, self.x_block.after(x, mixed[:, tokens:], image_rest)


class StreamBlock(nn.Module):
    """A layer's part for one stream; the text's last one (`keeps_going` False) only feeds the attention."""

    def __init__(self, config: MMDiTConfig, *, keeps_going: bool) -> None:
        super().__init__()
        self.keeps_going = keeps_going
        self.norm1 = nn.LayerNorm(config.hidden, eps=NORM_EPS, elementwise_affine=False)
        self.attn = StreamAttention(config, keeps_going)
        modulations = 6 if keeps_going else 2
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(config.hidden, modulations * config.hidden))
        if keeps_going:
            self.norm2 = nn.LayerNorm(config.hidden, eps=NORM_EPS, elementwise_affine=False)
            self.mlp = FeedForward(config)

    def before(self, x: Tensor, vector: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, ...]]:
        """Query, key and value [B, T, hidden] of the stream, and the modulations that `after` needs."""
        modulations = self.adaLN_modulation(vector)[:, None].chunk(6 if self.keeps_going else 2, dim=-1)
        shift, scale, *rest = modulations
        return self.attn.project(modulate(self.norm1(x), shift, scale)), tuple(rest)

    def after(self, x: Tensor, mixed: Tensor, rest: tuple[Tensor, ...]) -> Tensor:
        """The stream with its share [B, T, hidden] of the attention and the feed-forward part added."""
        gate, shift, scale, gate_mlp = rest
        x = x + gate * self.attn.proj(mixed)
        return x + gate_mlp * self.mlp(modulate(self.norm2(x), shift, scale))


class StreamAttention(nn.Module):
    """A stream's projections; query, key and value matrices lie one below the other in `qkv`."""

    def __init__(self, config: MMDiTConfig, has_output: bool) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.hidden, 3 * config.hidden)
        if has_output:
            self.proj = nn.Linear(config.hidden, config.hidden)
        if config.qk_norm:
            self.ln_q = nn.RMSNorm(config.head_width, eps=NORM_EPS)
            self.ln_k = nn.RMSNorm(config.head_width, eps=NORM_EPS)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value of tokens, each [B, T, hidden]."""
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        if hasattr(self, "ln_q"):
            query = self.ln_q(query.unflatten(-1, (self.heads, -1))).flatten(2)
            key = self.ln_k(key.unflatten(-1, (self.heads, -1))).flatten(2)
        return query, key, value


class FeedForward(nn.Module):
    """Two matrices around the tanh form of GELU."""

    def __init__(self, config: MMDiTConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden, config.mlp_hidden)
        self.fc2 = nn.Linear(config.mlp_hidden, config.hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x), approximate="tanh"))


class FinalLayer(nn.Module):
    """Tokens [B, N, hidden] -> pixels of patches [B, N, p*p*out_channels]."""

    def __init__(self, config: MMDiTConfig) -> None:
        super().__init__()
        self.norm_final = nn.LayerNorm(config.hidden, eps=NORM_EPS, elementwise_affine=False)
        self.linear = nn.Linear(config.hidden, config.patch_size**2 * config.out_channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(config.hidden, 2 * config.hidden))

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(vector)[:, None].chunk(2, dim=-1)
        return self.linear(modulate(self.norm_final(x), shift, scale))


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x·(1 + scale) + shift (Peebles and Xie 2023)."""
    return x * (1 + scale) + shift
