"""The KL autoencoder between pictures and latents (Rombach et al. 2022, section 3.1; Esser et al. 2021 for the architecture)."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.attention import attend
from modules.nets.configs import VAEConfig
from modules.nets.convolution import preferred_format, quick_convolutions

__all__ = ["AutoencoderKL", "DiagonalGaussian", "VAEConfig"]


@dataclass(frozen=True)
class DiagonalGaussian:
    """Normal distribution over latents: `mean` and `logvar`, both [B, embed_dim, h, w]; logvar lies within -30..20."""

    mean: Tensor
    logvar: Tensor

    @classmethod
    def of_moments(cls, moments: Tensor) -> DiagonalGaussian:
        """Splits the encoder's output [B, 2*embed_dim, h, w]."""
        mean, logvar = moments.chunk(2, dim=1)
        return cls(mean, logvar.clamp(-30.0, 20.0))

    @property
    def std(self) -> Tensor:
        """Standard deviation of each element."""
        return torch.exp(0.5 * self.logvar)

    def sample(self, noise: Tensor) -> Tensor:
        """The latent that standard normal `noise` of the mean's shape picks."""
        return self.mean + self.std * noise

    def mode(self) -> Tensor:
        """The most likely latent: the mean."""
        return self.mean


class AutoencoderKL(nn.Module):
    """Picture in [-1, 1] <-> latent (unscaled); attribute names are the checkpoint's keys under `first_stage_model.`."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        if config.use_quant_conv:
            self.quant_conv = nn.Conv2d(2 * config.z_channels, 2 * config.embed_dim, 1)
            self.post_quant_conv = nn.Conv2d(config.embed_dim, config.z_channels, 1)

    @property
    def dtype(self) -> torch.dtype:
        """Type in which the network computes: that of its weights."""
        return self.decoder.conv_in.weight.dtype

    def encode(self, x: Tensor) -> DiagonalGaussian:
        """Distribution of the latents [B, embed_dim, H//8, W//8] of pictures [B, 3, H, W] in [-1, 1]."""
        x = x.to(self.dtype, memory_format=torch.contiguous_format if is_plain(x) else preferred_format(x))
        with quick_convolutions(x):
            h = self.encoder(x)
            return DiagonalGaussian.of_moments(self.quant_conv(h) if self.config.use_quant_conv else h)

    def decode(self, z: Tensor) -> Tensor:
        """Pictures [B, 3, 8h, 8w], nominally in [-1, 1] and not clamped, of unscaled latents [B, embed_dim, h, w]."""
        z = z.to(self.dtype, memory_format=preferred_format(z))
        with quick_convolutions(z):
            return self.decoder(self.post_quant_conv(z) if self.config.use_quant_conv else z)


def is_plain(x: Tensor) -> bool:
    """Whether pictures [B, C, H, W] are of one colour each.

    A1111: of such a picture the norms leave nothing but rounding, enlarged a thousandfold; it differs between memory formats, and
    inpainting models are told a plain grey one in txt2img.
    """
    return x.device.type != "meta" and bool((x == x[:, :, :1, :1]).all())


class Encoder(nn.Module):
    """[B, in_channels, H, W] -> [B, 2*z_channels, H//8, W//8]."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(config.in_channels, config.ch, 3, padding=1)
        self.down = nn.ModuleList()
        width = config.ch
        for level, mult in enumerate(config.ch_mult):
            last = level == len(config.ch_mult) - 1
            self.down.append(_Level(width, config.ch * mult, config.num_res_blocks, None if last else "downsample"))
            width = config.ch * mult
        self.mid = _Middle(width)
        self.norm_out = _norm(width)
        self.conv_out = nn.Conv2d(width, 2 * config.z_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.from_middle(self.to_middle(x))

    def to_middle(self, x: Tensor) -> Tensor:
        """The levels above the latent's resolution."""
        h = self.conv_in(x)
        for level in self.down:
            h = level(h)
        return h

    def from_middle(self, h: Tensor) -> Tensor:
        """The rest, at the latent's resolution."""
        return self.conv_out(functional.silu(self.norm_out(self.mid(h))))


class Decoder(nn.Module):
    """[B, z_channels, h, w] -> [B, out_ch, 8h, 8w]."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        width = config.ch * config.ch_mult[-1]
        self.conv_in = nn.Conv2d(config.z_channels, width, 3, padding=1)
        self.mid = _Middle(width)
        levels: list[nn.Module] = []
        for level in range(len(config.ch_mult) - 1, -1, -1):
            out = config.ch * config.ch_mult[level]
            levels.insert(0, _Level(width, out, config.num_res_blocks + 1, "upsample" if level else None))
            width = out
        self.up = nn.ModuleList(levels)
        self.norm_out = _norm(width)
        self.conv_out = nn.Conv2d(width, config.out_ch, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        return self.from_middle(self.to_middle(z))

    def to_middle(self, z: Tensor) -> Tensor:
        """The part at the latent's resolution."""
        return self.mid(self.conv_in(z))

    def from_middle(self, h: Tensor) -> Tensor:
        """The levels above the latent's resolution."""
        for level in reversed(self.up):
            h = level(h)
        return self.conv_out(functional.silu(self.norm_out(h)))


class _Level(nn.Module):
    """Residual blocks of one resolution, and the step to the next one under its name `downsample` or `upsample`."""

    def __init__(self, channels: int, out_channels: int, blocks: int, resample: str | None) -> None:
        super().__init__()
        self.block = nn.ModuleList(ResnetBlock(channels if i == 0 else out_channels, out_channels) for i in range(blocks))
        self.resample = resample
        if resample == "downsample":
            self.downsample = Downsample(out_channels)
        elif resample == "upsample":
            self.upsample = Upsample(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        return x if self.resample is None else getattr(self, self.resample)(x)


class _Middle(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(channels, channels)
        self.attn_1 = AttnBlock(channels)
        self.block_2 = ResnetBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class ResnetBlock(nn.Module):
    """Residual block without time embedding: [B, channels, h, w] -> [B, out_channels, h, w]."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.norm2 = _norm(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        if channels != out_channels:
            self.nin_shortcut = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(functional.silu(self.norm1(x)))
        h = self.conv2(functional.silu(self.norm2(h)))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class AttnBlock(nn.Module):
    """Single-head self-attention over the cells of a feature map, added to it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        query, key, value = (conv(h).flatten(2).transpose(1, 2) for conv in (self.q, self.k, self.v))
        mixed = attend(query, key, value, heads=1)
        return x + self.proj_out(mixed.transpose(1, 2).unflatten(2, x.shape[2:]))


class Downsample(nn.Module):
    """Halves the map by a 3x3 convolution of stride 2, padded on the right and at the bottom only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Doubles the map by nearest neighbours, then a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.interpolate(x, scale_factor=2, mode="nearest"))


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-6)
