"""The noise augmentor of Stable unCLIP (Ramesh et al. 2022): a picture's embedding, noised, with its noise level beside it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from modules.nets.unet_blocks import timestep_embedding

TIMESTEPS = 1000
MAX_BETA = 0.999


class NoiseAugmentor(nn.Module):
    """Embeddings [B, width] -> vectors [B, 2*width]; attribute names are the checkpoint's keys under `noise_augmentor.`.

    `data_mean` and `data_std` are statistics of embeddings, by which noise is scaled; files do not hold them, and 0 and 1 will do.
    """

    alphas_cumprod: Tensor
    data_mean: Tensor
    data_std: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("alphas_cumprod", cosine_alphas())
        self.register_buffer("data_mean", torch.zeros(1, width), persistent=False)
        self.register_buffer("data_std", torch.ones(1, width), persistent=False)

    def forward(self, embeddings: Tensor, noise: Tensor, level: int = 0) -> Tensor:
        """The embeddings with standard normal `noise` of their shape mixed in at `level` (0 … 999), then the level's embedding."""
        alpha = self.alphas_cumprod[level].to(embeddings)
        mean, std = self.data_mean.to(embeddings), self.data_std.to(embeddings)
        noised = alpha.sqrt() * (embeddings - mean) / std + (1 - alpha).sqrt() * noise
        levels = torch.full((len(embeddings),), level, device=embeddings.device)
        return torch.cat([noised * std + mean, timestep_embedding(levels, self.width).to(embeddings)], dim=1)


def cosine_alphas() -> Tensor:
    """Cumulative signal power of the cosine schedule (Nichol and Dhariwal 2021, equation 17), float32 [1000]."""

    def signal(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [min(1 - signal((i + 1) / TIMESTEPS) / signal(i / TIMESTEPS), MAX_BETA) for i in range(TIMESTEPS)]
    return torch.cumprod(1 - torch.tensor(betas, dtype=torch.float64), dim=0).float()
