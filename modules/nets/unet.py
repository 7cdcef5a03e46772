"""The latent-diffusion UNet of Stable Diffusion 1, 2 and XL (Rombach et al. 2022; Podell et al. 2023)."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.attention import SpatialTransformer
from modules.nets.configs import UNetConfig
from modules.nets.convolution import preferred_format, quick_convolutions
from modules.nets.unet_blocks import Downsample, ResBlock, TimestepEmbedSequential, Upsample, timestep_embedding, zeroed

__all__ = ["UNetConfig", "UNetModel", "timestep_embedding"]


class UNetModel(nn.Module):
    """Predicts noise or velocity from a noisy latent; attribute names are the checkpoint's keys under `model.diffusion_model.`."""

    compute_dtype: torch.dtype | None = None
    """Type to compute in where it is not that of the weights (modules/nets/casting.py)."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.emb_channels = config.model_channels * 4
        self.time_embed = self._embedder(config.model_channels)
        if config.adm_in_channels is not None:
            self.label_emb = nn.Sequential(self._embedder(config.adm_in_channels))
        self.input_blocks, skips = self._encoder()
        self.middle_block = self._middle(skips[-1])
        self.output_blocks = self._decoder(skips)
        self.out = nn.Sequential(
            nn.GroupNorm(32, config.model_channels),
            nn.SiLU(),
            zeroed(nn.Conv2d(config.model_channels, config.out_channels, 3, padding=1)),
        )

    @property
    def dtype(self) -> torch.dtype:
        """Type in which the network computes: that of its weights, unless it was told another."""
        return self.compute_dtype or next(self.time_embed.parameters()).dtype

    def embed(self, timesteps: Tensor, y: Tensor | None = None) -> Tensor:
        """Embedding [B, 4*model_channels] of timesteps [B], plus that of y [B, adm_in_channels] where the family has one.

        Raises ValueError when the family has one and y is missing.
        """
        emb = self.time_embed(timestep_embedding(timesteps, self.config.model_channels).to(self.dtype))
        if self.config.adm_in_channels is None:
            return emb
        if y is None:
            raise ValueError(f"this UNet needs a vector y of width {self.config.adm_in_channels}")
        return emb + self.label_emb(y.to(self.dtype))

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor | None = None, y: Tensor | None = None) -> Tensor:
        """Prediction [B, out_channels, h, w], in x's type, for a noisy latent x [B, in_channels, h, w].

        timesteps [B] lie in 0..999 and may be fractional; context is [B, T, context_dim], y [B, adm_in_channels].
        Any h and w will do: where halving rounded a size up, the decoder is resized to the encoder's.
        """
        emb = self.embed(timesteps, y)
        context = context if context is None else context.to(self.dtype)
        h = x.to(self.dtype, memory_format=preferred_format(x))
        with quick_convolutions(h):
            return self._blocks(h, emb, context).to(x.dtype)

    def _blocks(self, h: Tensor, emb: Tensor, context: Tensor | None) -> Tensor:
        skips = []
        for block in self.input_blocks:
            h = block(h, emb, context)
            skips.append(h)
        h = self.middle_block(h, emb, context)
        for block in self.output_blocks:
            h = block(join_skip(h, skips.pop()), emb, context)
        return self.out(h)

    def _embedder(self, dim: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(dim, self.emb_channels), nn.SiLU(), nn.Linear(self.emb_channels, self.emb_channels))

    def _res(self, channels: int, out_channels: int) -> ResBlock:
        return ResBlock(channels, self.emb_channels, out_channels)

    def _transformer(self, channels: int, depth: int) -> SpatialTransformer:
        config = self.config
        return SpatialTransformer(channels, config.heads(channels), depth, config.context_dim, config.use_linear_in_transformer)

    def _res_and_transformer(self, channels: int, out_channels: int, depth: int) -> list[nn.Module]:
        layers: list[nn.Module] = [self._res(channels, out_channels)]
        return [*layers, self._transformer(out_channels, depth)] if depth else layers

    def _encoder(self) -> tuple[nn.ModuleList, list[int]]:
        """The encoder's blocks and the width of each one's output."""
        config = self.config
        width = config.model_channels
        blocks = [TimestepEmbedSequential(nn.Conv2d(config.in_channels, width, 3, padding=1))]
        skips = [width]
        depths = iter(_depths(config.input_depths, config.transformer_depth, config.num_res_blocks))
        for level, mult in enumerate(config.channel_mult):
            for _ in range(config.num_res_blocks[level]):
                blocks.append(TimestepEmbedSequential(*self._res_and_transformer(width, mult * config.model_channels, next(depths))))
                width = mult * config.model_channels
                skips.append(width)
            if level + 1 < len(config.channel_mult):
                blocks.append(TimestepEmbedSequential(Downsample(width)))
                skips.append(width)
        return nn.ModuleList(blocks), skips

    def _middle(self, width: int) -> TimestepEmbedSequential:
        depth = self.config.transformer_depth_middle
        if not depth:
            return TimestepEmbedSequential(self._res(width, width))
        return TimestepEmbedSequential(self._res(width, width), self._transformer(width, depth), self._res(width, width))

    def _decoder(self, skips: list[int]) -> nn.ModuleList:
        """The decoder's blocks, which take the encoder's outputs (widths `skips`) last to first."""
        config = self.config
        levels = range(len(config.channel_mult) - 1, -1, -1)
        counts = [config.num_res_blocks[level] + 1 for level in levels]
        depths = iter(_depths(config.output_depths, config.transformer_depth[::-1], counts))
        width, remaining, blocks = skips[-1], list(skips), []
        for level, count in zip(levels, counts, strict=True):
            out = config.channel_mult[level] * config.model_channels
            for index in range(count):
                layers = self._res_and_transformer(width + remaining.pop(), out, next(depths))
                width = out
                if level and index == count - 1:
                    layers.append(Upsample(width))
                blocks.append(TimestepEmbedSequential(*layers))
        return nn.ModuleList(blocks)


def join_skip(h: Tensor, skip: Tensor) -> Tensor:
    """Decoder tensor and encoder tensor side by side along the channels: [B, C1, h, w], [B, C2, h', w'] -> [B, C1+C2, h', w']."""
    if h.shape[2:] != skip.shape[2:]:
        # A1111: sizes that are not multiples of 64 pixels are allowed; the decoder yields to the encoder, by nearest neighbours.
        h = functional.interpolate(h, size=skip.shape[2:], mode="nearest")
    return torch.cat([h, skip], dim=1)


def _depths(explicit: Sequence[int] | None, per_level: Sequence[int], counts: Sequence[int]) -> list[int]:
    """Transformer depth of each residual block in running order."""
    if explicit is not None:
        return list(explicit)
    return [depth for depth, count in zip(per_level, counts, strict=True) for _ in range(count)]
