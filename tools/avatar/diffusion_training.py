"""Text encoder and UNet: noise prediction on cached latents, min-SNR weights (Hang et al. 2023) with a floor, caption drop-out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from modules.nets.clip import CLIPTextConfig, CLIPTextModel
from modules.nets.unet import UNetConfig, UNetModel
from modules.nets.vae import AutoencoderKL
from tools.avatar.captions import caption
from tools.avatar.dataset import Drawings
from tools.avatar.schedule import Average, Clock, Journal, Together, frozen_copy, rank, wait, workers
from tools.avatar.tokens import SmallVocabulary
from tools.avatar.vae_training import bypass, eye_weights, to_input, tupled, vae_config

SCALE_FACTOR = 0.18215


def alphas_cumprod() -> Tensor:
    """The standard schedule: betas whose roots are evenly spaced from 0.00085 to 0.012, 1000 steps; float32 [1000]."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1.0 - betas, 0).float()


class AvatarNet(nn.Module):
    """Text encoder over the small vocabulary and UNet: (x [B, 4, h, w], t [B], ids [B, 77]) -> predicted noise."""

    def __init__(self, text: CLIPTextConfig, unet: UNetConfig) -> None:
        super().__init__()
        self.text, self.unet = CLIPTextModel(text), UNetModel(unet)
        self.reset_text()

    def reset_text(self) -> None:
        """Sets what listens to the caption to a start from which it learns soon.

        With default weights every picture cell looks at all 77 tokens alike, a word is lost among them and what it says
        about the picture is lost in the gradient's noise. So a word's own embedding dominates its state, and queries and
        keys are large enough to pick tokens from the first step on.
        """
        text = self.text.text_model
        nn.init.normal_(text.embeddings.token_embedding.weight, std=1.0)
        nn.init.normal_(text.embeddings.position_embedding.weight, std=0.05)
        for module in text.encoder.modules():
            if isinstance(module, nn.LayerNorm | nn.Linear):
                module.reset_parameters()
        for name, module in self.unet.named_modules():
            if name.endswith("attn2"):
                for layer, gain in ((module.to_q, 2.5), (module.to_k, 2.5), (module.to_v, 1.5), (module.to_out[0], 1.0)):
                    layer.reset_parameters()
                    with torch.no_grad():
                        layer.weight.mul_(gain)
        # The emphasis syntax rescales all states to keep their mean, which must therefore stay away from zero.
        nn.init.ones_(text.final_layer_norm.weight)
        nn.init.constant_(text.final_layer_norm.bias, 0.25)

    def context(self, ids: Tensor, skip: bool = False) -> Tensor:
        """States [B, 77, width]; with `skip` those of the last layer but one, through the final norm ("clip skip 2")."""
        states = self.text(ids)
        return self.text.final_norm(states.hidden[-2]) if skip else states.last

    def forward(self, x: Tensor, t: Tensor, ids: Tensor, skip: bool = False) -> Tensor:
        return self.unet(x, t, self.context(ids, skip))


def build_net(config: dict[str, Any], vocabulary: SmallVocabulary) -> AvatarNet:
    part = config["unet"]
    return AvatarNet(CLIPTextConfig(vocab=len(vocabulary), **part["text"]), UNetConfig(**tupled(part["config"])))


def load_vae(config: dict[str, Any], folder: Path, name: str = "vae") -> AutoencoderKL:
    """The averaged autoencoder of a checkpoint."""
    net = AutoencoderKL(vae_config(config)).to(memory_format=torch.channels_last)
    state = torch.load(folder / f"{name}.ckpt", weights_only=False, map_location="cpu")["state_dict"]
    net.load_state_dict({key[4:]: value for key, value in state.items() if key.startswith("ema.")})
    bypass(net)
    return net.eval().requires_grad_(False)


def cache_latents(config: dict[str, Any], folder: Path) -> None:
    """Writes latents.npy (float16 [N, 4, h, w], mean 0 and deviation 1 per channel); every worker encodes its share.

    The affine map is kept as latent_affine.npy ([2, 4]: shift, deviation) and goes into the file's quant convolutions at export.
    """
    drawings, vae = Drawings(folder / "data"), load_vae(config, folder)
    rows = np.array_split(np.arange(min(config["unet"]["pictures"], drawings.count)), workers())
    with torch.inference_mode():
        shares = np.array_split(rows[rank()], max(1, len(rows[rank()]) // 40))
        part = torch.cat([vae.encode(to_input(drawings.pictures[share[0] : share[-1] + 1])).mean for share in shares])
    np.save(folder / f"latents-{rank()}.npy", part.numpy())
    wait()
    if rank() == 0:
        raw = torch.cat([torch.from_numpy(np.load(folder / f"latents-{worker}.npy")) for worker in range(workers())])
        shift, deviation = raw.mean((0, 2, 3)), raw.std((0, 2, 3))
        np.save(folder / "latent_affine.npy", torch.stack([shift, deviation]).numpy())
        np.save(folder / "latents.npy", ((raw - shift[:, None, None]) / deviation[:, None, None]).half().numpy())


def latent_affine(folder: Path) -> Tensor:
    """Shift and deviation of the autoencoder's latents: [2, 4]."""
    return torch.from_numpy(np.load(folder / "latent_affine.npy"))


def decoder_name(folder: Path) -> str:
    """The checkpoint to decode with: that of the decoder's own stage where it was run."""
    return "decoder" if (folder / "decoder.ckpt").exists() else "vae"


class LatentBatches(IterableDataset):
    """Endless batches (latents [B, 4, h, w], ids [B, 77], loss weights [B, 1, h, w]) with a new caption at every visit."""

    def __init__(self, folder: Path, vocabulary: SmallVocabulary, batch: int, seed: int, eye_extra: float) -> None:
        self.drawings, self.latents = Drawings(folder / "data"), np.load(folder / "latents.npy")
        self.vocabulary, self.batch, self.seed = vocabulary, batch, seed
        side = self.latents.shape[-1]
        self.weights = np.stack(
            [eye_weights(eyes, side, eye_extra) for eyes in self.drawings.eyes[: len(self.latents)]]
        )[:, None]
        self.start = 0

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for step in range(self.start, 10**9):
            rng = np.random.default_rng((self.seed, rank(), step))
            rows = rng.integers(len(self.latents), size=self.batch)
            ids = np.stack([self.vocabulary.encode(caption(self.drawings.attributes[row], rng)) for row in rows])
            yield (
                torch.from_numpy(self.latents[rows]).float(),
                torch.from_numpy(ids),
                torch.from_numpy(self.weights[rows]),
            )


class DiffusionTraining(pl.LightningModule):
    """Trains an AvatarNet to predict noise."""

    def __init__(self, net: AvatarNet, lr: float, gamma: float, floor: float, skip_share: float = 0.1) -> None:
        super().__init__()
        self.net, self.ema = net, frozen_copy(net)
        self.lr, self.gamma, self.skip_share = lr, gamma, skip_share
        self.register_buffer("alphas", alphas_cumprod(), persistent=False)
        snr = self.alphas / (1 - self.alphas)
        # Noise prediction all but ignores what the text decides, colours and layout, at the highest noise levels:
        # the floor lifts their weight.
        root = (snr.clamp(floor, gamma) / snr).sqrt()
        share = root.double().cumsum(0)
        self.register_buffer("share", share / share[-1], persistent=False)
        self.register_buffer("weight", root * (root.sum() / root.square().sum()), persistent=False)
        self.bands = [0.0, 0.0, 0.0]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        plain = [p for name, p in self.net.named_parameters() if p.ndim < 2 or "embedding" in name]
        matrices = [p for name, p in self.net.named_parameters() if not (p.ndim < 2 or "embedding" in name)]
        groups = [{"params": plain, "weight_decay": 0.0}, {"params": matrices, "weight_decay": 0.01}]
        return torch.optim.AdamW(groups, self.lr, betas=(0.9, 0.99), fused=True)

    def draw_times(self, count: int) -> Tensor:
        """Timesteps [count], evenly spread over the batch, as likely as the root of their weight; the loss takes the other root."""
        spread = (torch.arange(count, device=self.share.device) + torch.rand(count, device=self.share.device)) / count
        return torch.searchsorted(self.share, spread.double()).clamp(max=999)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> dict[str, Any]:
        latents, ids, weights = batch
        count = len(latents)
        t = self.draw_times(count)
        alpha = self.alphas[t][:, None, None, None]
        noise = torch.randn_like(latents)
        skip = bool(torch.rand(()) < self.skip_share)
        predicted = self.net(alpha.sqrt() * latents + (1 - alpha).sqrt() * noise, t, ids, skip)
        error = ((predicted - noise).square() * weights).mean((1, 2, 3))
        loss = (error * self.weight[t]).mean()
        for band in range(3):
            part = error.detach()[(t >= 333 * band) & (t < 333 * (band + 1))]
            if len(part):
                self.bands[band] = (
                    0.98 * self.bands[band] + 0.02 * float(part.mean()) if self.bands[band] else float(part.mean())
                )
        return {"loss": loss}

    def report(self) -> str:
        return "eps by t " + " ".join(f"{value:.3f}" for value in self.bands)


def train(config: dict[str, Any], folder: Path, resume: bool, steps: int = -1) -> None:
    """Trains text encoder and UNet into unet.ckpt."""
    from tools.avatar.train import fit

    part = config["unet"]
    pl.seed_everything(part["seed"], verbose=False)
    vocabulary, checkpoint = SmallVocabulary(), folder / "unet.ckpt"
    net = build_net(config, vocabulary)
    if (folder / "start.pt").exists():  # written by begin_from.py
        net.load_state_dict(torch.load(folder / "start.pt", weights_only=True))
    module = DiffusionTraining(net, part["lr"], part["min_snr_gamma"], part["snr_floor"])
    torch.manual_seed(part["seed"] + 1000 * (rank() + 1))
    batches = LatentBatches(folder, vocabulary, part["batch"], part["seed"], part["eye_extra"])
    if resume and checkpoint.exists():
        batches.start = torch.load(checkpoint, weights_only=False, map_location="cpu")["global_step"]
    clock = Clock(part["minutes"], part["lr"], part["warmup"], decay_from=part["decay_from"])
    fit(module, batches, [clock, Together(clock), Average(part["ema"]), Journal(checkpoint)], checkpoint, resume, steps)
