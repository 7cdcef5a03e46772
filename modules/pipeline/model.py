"""A loaded checkpoint as the pipeline uses it: noise prediction, text encoding, latents to pictures and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules.diffusion.schedule import FlowSchedule
from modules.nets.vae import DiagonalGaussian
from modules.nets.vae_tiles import decode_tiled, encode_tiled
from modules.pipeline.recovery import Recovery, in_force
from modules.weights.architecture import Prediction
from modules.weights.loader import load_vae_into, probe_prediction

if TYPE_CHECKING:
    from modules.pipeline.memory import Storage
    from modules.pipeline.offloading import Offloading
    from modules.weights.loader import Checkpoint


@dataclass(frozen=True)
class Cond:
    """One text's conditioning: `crossattn` [T, D] and, where the family has one, `vector` [adm]."""

    crossattn: Tensor
    vector: Tensor | None = None


@dataclass(frozen=True)
class CondBatch:
    """Conditionings of several rows: `crossattn` [B, T, D], `vector` [B, adm] or None."""

    crossattn: Tensor
    vector: Tensor | None = None

    @classmethod
    def of(cls, conds: list[Cond]) -> CondBatch:
        """Stack conditionings; shorter ones are extended by repeating their last token vector."""
        longest = max(c.crossattn.shape[0] for c in conds)
        rows = [repeat_last(c.crossattn, longest) for c in conds]
        vectors = [c.vector for c in conds if c.vector is not None]
        return cls(torch.stack(rows), torch.stack(vectors) if vectors else None)

    @property
    def tokens(self) -> int:
        return self.crossattn.shape[1]

    def __len__(self) -> int:
        return self.crossattn.shape[0]

    def __getitem__(self, rows: slice) -> CondBatch:
        return CondBatch(self.crossattn[rows], self.vector[rows] if self.vector is not None else None)

    def __add__(self, other: CondBatch) -> CondBatch:
        vector = torch.cat([self.vector, other.vector]) if self.vector is not None and other.vector is not None else None
        return CondBatch(torch.cat([self.crossattn, other.crossattn]), vector)

    def resized(self, tokens: int) -> CondBatch:
        """Cut, or extended by repeating the last token vector, to this many tokens."""
        rows = [repeat_last(row, tokens) for row in self.crossattn[:, :tokens]]
        return CondBatch(torch.stack(rows), self.vector)

    def extended(self, filler: Tensor, times: int) -> CondBatch:
        """Followed by `times` copies of `filler` [T, D]."""
        tail = filler.repeat(times, 1).expand(len(self), -1, -1)
        return CondBatch(torch.cat([self.crossattn, tail], dim=1), self.vector)


@dataclass(frozen=True)
class ImageCond:
    """What a model is told about a picture beside the text: `concat` [B or 1, k, h, w] joined to the latents (inpainting, pix2pix,
    depth), `adm` [B or 1, n] in place of the text's vector (unCLIP)."""

    concat: Tensor | None = None
    adm: Tensor | None = None

    def rows(self, prompts: list[int], plain: list[int], *, edit: bool = False) -> ImageCond:
        """For the image of every prompt row, then of every row without the prompt; with `edit` those come twice, last without picture."""
        concat, adm = _picked(self.concat, prompts + plain), _picked(self.adm, prompts)
        if edit and concat is not None:
            concat = torch.cat([concat, torch.zeros_like(concat[-len(plain) :])])
        if adm is not None:
            adm = torch.cat([adm, adm.new_zeros(len(plain), adm.shape[1])])
        return ImageCond(concat, adm)

    def first(self, count: int) -> ImageCond:
        """The first rows alone."""
        return ImageCond(None if self.concat is None else self.concat[:count], None if self.adm is None else self.adm[:count])


def _picked(rows: Tensor | None, images: list[int]) -> Tensor | None:
    if rows is None:
        return None
    return rows.expand(len(images), *rows.shape[1:]) if len(rows) == 1 else rows[images]


class DiffusionModel:
    """The networks of one checkpoint with its arithmetic around them.

    Inputs and outputs are float32; the networks run in their own precision.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device, *, name: str, shorthash: str | None) -> None:
        self.checkpoint = checkpoint
        self.spec = checkpoint.spec
        self.device: torch.device = device
        self.name = name
        self.shorthash = shorthash
        self.vae_name: str | None = None
        """File name and short hash of a VAE that is not the checkpoint's own."""
        self.vae_hash: str | None = None
        self.vae_source: Any = None
        """What told the VAE's file apart from others when it was read; None for the checkpoint's own."""
        self._own_vae = checkpoint.vae
        self.storage: Storage | None = None
        """How the weights are stored; None until a job wanted them in one way or the other."""
        self.offloading: Offloading | None = None
        """Brings the networks to the device in turns; None: they stay there."""
        self.latent_channels = checkpoint.spec.vae.embed_dim
        self.alphas_cumprod: Tensor = checkpoint.alphas_cumprod

    @property
    def title(self) -> str:
        """Name and short hash as infotexts give them."""
        return f"{self.name} [{self.shorthash}]" if self.shorthash else self.name

    @property
    def is_edit(self) -> bool:
        """True for instruct-pix2pix models, which are guided by the picture as well."""
        return self.spec.family == "sd1-pix2pix"

    @property
    def is_sdxl(self) -> bool:
        return self.spec.family in ("sdxl", "sdxl-inpaint", "sdxl-refiner", "ssd-1b", "vega")

    @cached_property
    def prediction(self) -> Prediction:
        """What the UNet predicts: "eps" or "v"; probed where the file's shapes leave it open."""
        return self.spec.prediction or probe_prediction(self.checkpoint.unet)

    @property
    def is_sd3(self) -> bool:
        return self.spec.family == "sd3"

    def flow_schedule(self) -> FlowSchedule:
        """The noise levels of a rectified-flow model."""
        return FlowSchedule()

    @torch.inference_mode(False)
    def move(self, device: torch.device | str) -> None:
        """Put every network on a device; those that are there already stay untouched, and those that take turns wait for theirs."""
        if self.offloading is not None:
            self.offloading.release()
            self.offloading.cover()
            return
        for net in vars(self.checkpoint).values():
            if isinstance(net, torch.nn.Module):
                net.to(device)

    def replace_vae(self, path: Path, source: Any, dtype: torch.dtype | None = None) -> None:
        """Use the VAE of a file from now on; its own is kept in the computer's memory. Raises a WeightsError, changing nothing."""
        load_vae_into(self.checkpoint, path, dtype)
        self._own_vae.to("cpu")
        self.vae_name, self.vae_hash, self.vae_source = path.name, None, source

    def restore_vae(self) -> None:
        """Go back to the checkpoint's own VAE."""
        self.checkpoint.vae, self.checkpoint.vae_path = self._own_vae.to(next(self.checkpoint.unet.parameters()).device), None
        self.vae_name = self.vae_hash = self.vae_source = None

    @property
    def wants_inpainting_conditioning(self) -> bool:
        """True for inpainting models, whose UNet also sees a mask and the masked picture's latent."""
        return self.spec.family.endswith("-inpaint")

    @property
    def unet_dtype(self) -> torch.dtype:
        """The type the denoising network computes in."""
        return self.checkpoint.unet.dtype

    @property
    def vae_dtype(self) -> torch.dtype:
        return next(self.checkpoint.vae.parameters()).dtype

    def apply(self, x: Tensor, t: Tensor, cond: CondBatch, concat: Tensor | None = None) -> Tensor:
        """Raw UNet output [B, C, h, w] for scaled latents `x` and model timesteps `t` [B].

        `concat` [B, k, h, w] is joined to the latents of inpainting and pix2pix models. The timestep is cast
        to the UNet's dtype before its embedding.  # A1111: a fractional t is rounded in half precision
        """
        dtype = self.unet_dtype
        if concat is not None:
            x = torch.cat([x, concat], dim=1)
        y = cond.vector.to(dtype) if cond.vector is not None else None
        return self.checkpoint.unet(x.to(dtype), t.to(dtype), cond.crossattn.to(dtype), y).float()

    def text_only_conditioning(self, height: int, width: int) -> Tensor | None:
        """The extra channels [1, 5, h, w] of an inpainting model where there is no picture: all masked, plain grey."""
        if not self.wants_inpainting_conditioning:
            return None
        latent = self.encode_sample(torch.zeros(1, 3, height, width, device=self.device))
        return torch.cat([torch.ones_like(latent[:, :1]), latent], dim=1)

    @contextmanager
    def tiling(self, on: bool) -> Iterator[None]:
        """While it is open, every convolution wraps around at the borders, so that pictures tile."""
        nets = [net for net in (self.checkpoint.unet, self.checkpoint.vae) if on]
        layers = [layer for net in nets for layer in net.modules() if isinstance(layer, torch.nn.Conv2d)]
        for layer in layers:
            layer.padding_mode = "circular"
        try:
            yield
        finally:
            for layer in layers:
                layer.padding_mode = "zeros"

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] in -1..1 from latents, one at a time as A1111 does; what goes wrong is recovered where it can be."""
        recovery = in_force()
        return torch.cat([recovery.run("VAE decode", self, partial(self._decoded, z[None], recovery)) for z in latent])

    def encode_mean(self, image: Tensor) -> Tensor:
        """Scaled latent means of pictures [B, 3, H, W] in -1..1."""
        recovery = in_force()
        return recovery.run("VAE encode", self, lambda: self._scaled(self._posterior(image, recovery.tile).mode().float()))

    def encode_sample(self, image: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Scaled latents sampled from the posterior with CPU noise of the generator (default: torch's global one)."""
        recovery = in_force()
        return torch.cat([self._sampled(picture[None], generator, recovery) for picture in image])

    def _sampled(self, picture: Tensor, generator: torch.Generator | None, recovery: Recovery) -> Tensor:
        noise: list[Tensor] = []

        def attempt() -> Tensor:
            posterior = self._posterior(picture, recovery.tile)
            if not noise:  # drawn once, also when the encoder has to be run again
                noise.append(torch.randn(posterior.mean.shape, generator=generator))
            return self._scaled(posterior.sample(noise[0].to(posterior.mean)).float())

        return recovery.run("VAE encode", self, attempt)

    def _decoded(self, latent: Tensor, recovery: Recovery) -> Tensor:
        vae, tile = self.checkpoint.vae, recovery.tile
        z = self._unscaled(latent.to(self.vae_dtype))
        return (vae.decode(z) if tile is None else decode_tiled(vae, z, tile)).float()

    def _posterior(self, image: Tensor, tile: int | None) -> DiagonalGaussian:
        vae = self.checkpoint.vae
        x = image.to(self.vae_dtype)
        return vae.encode(x) if tile is None else encode_tiled(vae, x, tile)

    def _scaled(self, encoded: Tensor) -> Tensor:
        """A latent as the UNet sees it, of one as the VAE makes it."""
        shift = self.spec.latent_shift
        return (encoded - shift if shift else encoded) * self.spec.latent_scale

    def _unscaled(self, latent: Tensor) -> Tensor:
        shift = self.spec.latent_shift
        return latent / self.spec.latent_scale + shift if shift else latent / self.spec.latent_scale


def repeat_last(tokens: Tensor, length: int) -> Tensor:
    """Token vectors [T, D] extended to `length` by repeating the last one."""
    missing = length - tokens.shape[0]
    return torch.cat([tokens, tokens[-1:].expand(missing, -1)]) if missing else tokens
