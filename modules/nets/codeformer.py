"""CodeFormer: a face's code book entries predicted by a transformer, decoded with help of the given face (Zhou et al. 2022).

Attribute names are those of the published weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

BASE = 64
MULTIPLIERS = (1, 2, 2, 4, 4, 8)
RESIDUALS = 2
ATTENTION_SIDE, FACE_SIDE = 16, 512
CODE_WIDTH, CODES = 256, 1024
TOKENS, WIDTH, HEADS, MLP, LAYERS = 256, 512, 8, 1024, 9
TAPPED = {512: 2, 256: 5, 128: 8, 64: 11, 32: 14, 16: 18}
"""Blocks of the encoder after which its features are kept, by their side in pixels."""
FUSED = {32: 9, 64: 12, 128: 15, 256: 18}
"""Blocks of the generator after which they come in."""
CHANNELS = {32: 256, 64: 256, 128: 128, 256: 128}


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-6)


class ResBlock(nn.Module):
    """Two normalised convolutions beside a shortcut."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(channels), nn.Conv2d(channels, out, 3, padding=1)
        self.norm2, self.conv2 = _norm(out), nn.Conv2d(out, out, 3, padding=1)
        self.conv_out = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv1(functional.silu(self.norm1(x)))
        return self.conv2(functional.silu(self.norm2(hidden))) + self.conv_out(x)


class AttnBlock(nn.Module):
    """Self-attention between the pixels of a feature map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.norm(x)
        query, key, value = (layer(hidden).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        attended = functional.scaled_dot_product_attention(query, key, value)
        return x + self.proj_out(attended.transpose(1, 2).reshape(x.shape))


class Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))


class Coder(nn.Module):
    """A chain of blocks that the weights number."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)


def encoder() -> Coder:
    """Picture [B, 3, 512, 512] to features [B, 256, 16, 16]."""
    blocks: list[nn.Module] = [nn.Conv2d(3, BASE, 3, padding=1)]
    channels, side = BASE, FACE_SIDE
    for level, multiplier in enumerate(MULTIPLIERS):
        for _ in range(RESIDUALS):
            blocks.append(ResBlock(channels, BASE * multiplier))
            channels = BASE * multiplier
            if side == ATTENTION_SIDE:
                blocks.append(AttnBlock(channels))
        if level < len(MULTIPLIERS) - 1:
            blocks.append(Downsample(channels))
            side //= 2
    blocks += [ResBlock(channels, channels), AttnBlock(channels), ResBlock(channels, channels)]
    return Coder([*blocks, _norm(channels), nn.Conv2d(channels, CODE_WIDTH, 3, padding=1)])


def generator() -> Coder:
    """Features [B, 256, 16, 16] to picture [B, 3, 512, 512]."""
    channels, side = BASE * MULTIPLIERS[-1], ATTENTION_SIDE
    blocks: list[nn.Module] = [nn.Conv2d(CODE_WIDTH, channels, 3, padding=1)]
    blocks += [ResBlock(channels, channels), AttnBlock(channels), ResBlock(channels, channels)]
    for level, multiplier in reversed(list(enumerate(MULTIPLIERS))):
        for _ in range(RESIDUALS):
            blocks.append(ResBlock(channels, BASE * multiplier))
            channels = BASE * multiplier
            if side == ATTENTION_SIDE:
                blocks.append(AttnBlock(channels))
        if level > 0:
            blocks.append(Upsample(channels))
            side *= 2
    return Coder([*blocks, _norm(channels), nn.Conv2d(channels, 3, 3, padding=1)])


class CodeBook(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CODES, CODE_WIDTH)


class TransformerLayer(nn.Module):
    """Self-attention with positions added to queries and keys, then an MLP; tokens first [T, B, 512]."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(WIDTH, HEADS)
        self.linear1, self.linear2 = nn.Linear(WIDTH, MLP), nn.Linear(MLP, WIDTH)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        hidden = self.norm1(x)
        asked = hidden + positions
        x = x + self.self_attn(asked, asked, value=hidden, need_weights=False)[0]
        return x + self.linear2(functional.gelu(self.linear1(self.norm2(x))))


class Fuse(nn.Module):
    """Bends decoded features towards the encoder's by a scale and a shift, as much as the weight says."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.encode_enc = ResBlock(2 * channels, channels)
        self.scale, self.shift = (
            nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(channels, channels, 3, padding=1))
            for _ in range(2)
        )

    def forward(self, given: Tensor, decoded: Tensor, weight: float) -> Tensor:
        given = self.encode_enc(torch.cat([given, decoded], dim=1))
        return decoded + weight * (decoded * self.scale(given) + self.shift(given))


class CodeFormer(nn.Module):
    """Restores RGB faces [B, 3, 512, 512] in -1..1; `weight` 0…1 is how much of the given face shows through."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.generator, self.quantize = encoder(), generator(), CodeBook()
        self.position_emb = nn.Parameter(torch.zeros(TOKENS, WIDTH))
        self.feat_emb = nn.Linear(CODE_WIDTH, WIDTH)
        self.ft_layers = nn.ModuleList(TransformerLayer() for _ in range(LAYERS))
        self.idx_pred_layer = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CODES, bias=False))
        self.fuse_convs_dict = nn.ModuleDict({str(side): Fuse(channels) for side, channels in CHANNELS.items()})

    def forward(self, face: Tensor, weight: float = 0.5) -> Tensor:
        features, kept = self._encoded(face)
        codes = self.quantize.embedding(self._predicted(features)).transpose(1, 2).reshape(features.shape)
        return self._generated(with_statistics_of(codes, features), kept, weight)

    def _encoded(self, x: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        kept = {}
        for index, block in enumerate(self.encoder.blocks):
            x = block(x)
            if index in TAPPED.values():
                kept[x.shape[-1]] = x
        return x, kept

    def _predicted(self, features: Tensor) -> Tensor:
        """The number of the likeliest code for each cell, [B, 256]."""
        tokens = self.feat_emb(features.flatten(2).permute(2, 0, 1))
        positions = self.position_emb.unsqueeze(1).to(tokens.dtype)
        for layer in self.ft_layers:
            tokens = layer(tokens, positions)
        return self.idx_pred_layer(tokens).argmax(-1).transpose(0, 1)

    def _generated(self, x: Tensor, kept: dict[int, Tensor], weight: float) -> Tensor:
        sides = {block: side for side, block in FUSED.items()}
        for index, block in enumerate(self.generator.blocks):
            x = block(x)
            if index in sides and weight > 0:
                x = self.fuse_convs_dict[str(sides[index])](kept[sides[index]], x, weight)
        return x


def with_statistics_of(content: Tensor, style: Tensor, eps: float = 1e-5) -> Tensor:
    """`content` with mean and deviation of each channel taken from `style` (AdaIN, Huang and Belongie 2017)."""

    def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
        variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True)
        return mean, (variance + eps).sqrt()

    (mean, deviation), (wanted_mean, wanted) = statistics(content), statistics(style)
    return (content - mean) / deviation * wanted + wanted_mean
