"""The autoencoder's training: L1 with more weight on the eyes, and a light KL term, on whole pictures and on crops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from modules.nets.vae import AutoencoderKL, VAEConfig
from tools.avatar.dataset import Drawings
from tools.avatar.schedule import frozen_copy, rank
from tools.avatar.warm_start import warm_start


def to_input(pixels: np.ndarray) -> Tensor:
    """uint8 [B, H, W, 3] -> float [B, 3, H, W] in [-1, 1], channels last."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


def to_pixels(x: Tensor) -> np.ndarray:
    """float [B, 3, H, W] in [-1, 1] -> uint8 [B, H, W, 3]."""
    return x.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def eye_weights(eyes: np.ndarray, size: int, extra: float) -> np.ndarray:
    """Loss weights [size, size]: 1, and 1 + `extra` around the two eyes (rows of 0..1 positions, NaN for none)."""
    weights = np.ones((size, size), np.float32)
    reach = 0.1
    for x, y in eyes:
        if not np.isnan(x):
            rows = slice(max(0, int((y - reach) * size)), int(np.ceil((y + reach) * size)))
            columns = slice(max(0, int((x - reach) * size)), int(np.ceil((x + reach) * size)))
            weights[rows, columns] = 1.0 + extra
    return weights


def tupled(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields from YAML as the nets' configurations want them."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}


def vae_config(config: dict[str, Any]) -> VAEConfig:
    return VAEConfig(**tupled(config["vae"]["config"]))


class PictureBatches(IterableDataset):
    """Endless batches (pictures uint8 [B, h, w, 3], weights [B, h, w]): crops near the face, every fourth batch whole."""

    def __init__(self, drawings: Drawings, batch: int, crop: int, seed: int, eye_extra: float = 2.0) -> None:
        self.drawings, self.batch, self.crop, self.seed, self.eye_extra = drawings, batch, crop, seed, eye_extra

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        rng, size = np.random.default_rng((self.seed, rank())), self.drawings.size
        for step in range(10**9):
            whole = step % 4 == 3
            side = size if whole else self.crop
            count = max(1, self.batch * self.crop**2 // size**2) if whole else self.batch
            pictures, weights = [], []
            for index in rng.integers(self.drawings.count, size=count):
                x, y = self._corner(rng, size - side)
                window = (slice(y, y + side), slice(x, x + side))
                pictures.append(self.drawings.pictures[index][window])
                weights.append(eye_weights(self.drawings.eyes[index], size, self.eye_extra)[window])
            yield torch.from_numpy(np.stack(pictures)), torch.from_numpy(np.stack(weights))

    @staticmethod
    def _corner(rng: np.random.Generator, room: int) -> tuple[int, int]:
        if room and rng.random() < 0.4:
            return int(rng.integers(room // 4, room * 3 // 4 + 1)), int(rng.integers(room // 8, room * 5 // 8 + 1))
        return int(rng.integers(room + 1)), int(rng.integers(room + 1))


def bypass(net: AutoencoderKL) -> None:
    """Makes the residual blocks that cost most and give least pass their input on: exactly what their zeroed last layer computes.

    They are the encoder's at full and half size, the decoder's at full size and its last at half; in the file they are ordinary blocks.
    """
    for block in (
        *net.encoder.down[0].block,
        *net.encoder.down[1].block,
        *net.decoder.up[0].block,
        net.decoder.up[1].block[-1],
    ):
        torch.nn.init.zeros_(block.conv2.weight)
        torch.nn.init.zeros_(block.conv2.bias)
        block.requires_grad_(False)
        block.forward = _same


def _same(x: Tensor) -> Tensor:
    return x


class VAETraining(pl.LightningModule):
    """Trains an AutoencoderKL; with `decoder_only` the latents stay what they are and only their decoding improves."""

    def __init__(
        self, config: VAEConfig, lr: float, kl_weight: float, decoder_only: bool = False, pictures: Tensor | None = None
    ) -> None:
        super().__init__()
        self.net = AutoencoderKL(config).to(memory_format=torch.channels_last)
        if pictures is not None:
            warm_start(self.net, pictures)
        bypass(self.net)
        self.ema = frozen_copy(self.net)
        self.lr, self.kl_weight, self.decoder_only = lr, kl_weight, decoder_only
        if decoder_only:
            self.net.encoder.requires_grad_(False)
            self.net.quant_conv.requires_grad_(False)
        self.last: dict[str, float] = {}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parameters = [p for p in self.net.parameters() if p.requires_grad]
        return torch.optim.AdamW(parameters, self.lr, betas=(0.9, 0.98), weight_decay=1e-4, fused=True)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Any]:
        pictures, weights = batch
        x = pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
        if self.decoder_only:
            with torch.no_grad():
                gauss = self.net.encode(x)
            z, kl = (
                gauss.mean + 0.1 * gauss.mean.std() * torch.randn_like(gauss.mean) * torch.rand(len(x), 1, 1, 1),
                x.new_zeros(()),
            )
        else:
            gauss = self.net.encode(x)
            z = gauss.sample(torch.randn_like(gauss.mean))
            kl = 0.5 * (gauss.mean.square() + gauss.logvar.exp() - 1.0 - gauss.logvar).mean()
        error = self.net.decode(z) - x
        w = weights[:, None]
        pixel = (error.abs() * w).mean() + (error.square() * w).mean()
        edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
        self.last = {"L1": float(error.detach().abs().mean()), "kl": float(kl.detach())}
        return {"loss": pixel + 0.5 * edges + self.kl_weight * kl}

    def report(self) -> str:
        return " ".join(f"{name} {value:.4f}" for name, value in self.last.items())
