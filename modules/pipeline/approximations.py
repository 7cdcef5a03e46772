"""Small stand-ins for the VAE: TAESD both ways, the approximate decoder, and a plain mixture of the latent's channels.

They decode previews, and with TAESD chosen in the settings pictures (generation.md §3.5 of the reference).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.taesd import TAESDDecoder, TAESDEncoder
from modules.nets.vae_approx import CHEAP_ROWS, LatentSpace, VAEApprox
from modules.weights.errors import WeightsError
from modules.weights.fill import NetFiller
from modules.weights.open_tensors import open_tensors

if TYPE_CHECKING:
    from modules.pipeline.model import DiffusionModel

log = logging.getLogger(__name__)
_Net = TypeVar("_Net", bound=nn.Module)

FACTORS_KEY = "easel.latent_rgb"
"""Metadata key of a checkpoint whose latents are its own: JSON rows [R, G, B] per latent channel, then a bias row."""
TAESD_NAMES: dict[LatentSpace, str] = {"sd": "taesd", "sdxl": "taesdxl", "sd3": "taesd3"}
APPROX_NAMES: dict[LatentSpace, str] = {"sd": "model", "sdxl": "vaeapprox-sdxl", "sd3": "vaeapprox-sd3"}
CHANNELS: dict[LatentSpace, int] = {"sd": 4, "sdxl": 4, "sd3": 16}
FOLDERS = ("VAE-taesd", "VAE-approx")
CELL = 8
"""Pixels per latent cell along a side."""


class Approximations:
    """The stand-ins found in folders of models; each file is read at its first use and again when it was exchanged."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = list(folders)
        self._nets: dict[tuple[Path, float], nn.Module] = {}
        self._told: set[str] = set()

    def find(self, stem: str, suffix: str) -> Path | None:
        """A weight file by its stem, as safetensors or in its usual format."""
        for folder in self._folders:
            for name in FOLDERS:
                for ending in (".safetensors", suffix):
                    if (path := folder / name / f"{stem}{ending}").is_file():
                        return path
        return None

    def encode(self, model: DiffusionModel, pictures: Tensor) -> Tensor | None:
        """TAESD's latents [B, C, H/8, W/8] of pictures [B, 3, H, W] in -1..1; None where its file is missing. Raises a WeightsError."""
        space = latent_space(model)
        path = self.find(f"{TAESD_NAMES[space]}_encoder", ".pth")
        if path is None:
            return None
        net = self._net(path, lambda: TAESDEncoder(CHANNELS[space]), model)
        return torch.cat([net.encode(row[None].to(_dtype(model))) for row in pictures]).float()

    def decode(self, model: DiffusionModel, latents: Tensor) -> Tensor | None:
        """TAESD's pictures [B, 3, 8h, 8w] in -1..1 of latents; None where its file is missing. Raises a WeightsError."""
        space = latent_space(model)
        path = self.find(f"{TAESD_NAMES[space]}_decoder", ".pth")
        if path is None:
            return None
        net = self._net(path, lambda: TAESDDecoder(CHANNELS[space]), model)
        return torch.cat([net.decode(row[None].to(_dtype(model))) for row in latents]).float()

    def decode_small(self, model: DiffusionModel, latents: Tensor) -> Tensor | None:
        """The approximate decoder's pictures [B, 3, 2h, 2w] in -1..1; None where its file is missing. Raises a WeightsError."""
        space = latent_space(model)
        path = self.find(APPROX_NAMES[space], ".pt")
        if path is None:
            return None
        net = self._net(path, lambda: VAEApprox(CHANNELS[space]), model)
        pictures: Tensor = net(latents.to(_dtype(model)))
        return pictures.float()

    def preview(self, model: DiffusionModel, latents: Tensor, method: str) -> Tensor:
        """Pictures [B, 3, …] in -1..1 by the method of the setting `show_progress_type`; the plain mixture where its file is no good."""
        try:
            if method == "TAESD" and (pictures := self.decode(model, latents)) is not None:
                return pictures
            if method == "Approx NN" and not has_own_factors(model) and (pictures := self.decode_small(model, latents)) is not None:
                return pictures
        except WeightsError as error:
            if str(error) not in self._told:
                self._told.add(str(error))
                log.warning("previews are made without it: %s", error)
        return mixture(latents, latent_factors(model))

    def _net(self, path: Path, build: Callable[[], _Net], model: DiffusionModel) -> _Net:
        key = (path, path.stat().st_mtime)
        if key not in self._nets:
            self._nets = {known: net for known, net in self._nets.items() if known[0] != path}
            with torch.inference_mode(False), open_tensors(path, kind="preview decoder") as file:
                filler = NetFiller(file, "preview decoder", build, {name: name for name in file.tensors})
                filler.fill(model.device, _dtype(model))
            self._nets[key] = filler.net
        ready: _Net = self._nets[key].to(model.device, _dtype(model))  # type: ignore[assignment]
        return ready


def full_size(pictures: Tensor, latents: Tensor) -> Tensor:
    """Pictures of any size enlarged to the one that latents [B, C, h, w] stand for: [B, 3, 8h, 8w]."""
    size = (latents.shape[2] * CELL, latents.shape[3] * CELL)
    return pictures if tuple(pictures.shape[2:]) == size else functional.interpolate(pictures, size=size, mode="bicubic")


def latent_space(model: DiffusionModel) -> LatentSpace:
    """Which kind of latents a model has."""
    return "sd3" if model.is_sd3 else "sdxl" if model.is_sdxl else "sd"


def has_own_factors(model: DiffusionModel) -> bool:
    """Whether a checkpoint says itself what its latents look like."""
    return FACTORS_KEY in model.checkpoint.metadata


def latent_factors(model: DiffusionModel) -> Tensor:
    """Rows [C (+1), 3] that map a model's latents to colours; a last extra row is a constant."""
    own = model.checkpoint.metadata.get(FACTORS_KEY)
    rows = json.loads(own) if own else CHEAP_ROWS[latent_space(model)]
    return torch.tensor(rows, dtype=torch.float32)


def mixture(latents: Tensor, factors: Tensor) -> Tensor:
    """Colours [B, 3, h, w] in -1..1 of latents, a linear map of their channels cell by cell."""
    latents = latents.detach().float().cpu()
    channels = latents.shape[1]
    colours = torch.einsum("bchw,cr->brhw", latents, factors[:channels])
    return colours + factors[channels][None, :, None, None] if len(factors) > channels else colours


def _dtype(model: DiffusionModel) -> torch.dtype:
    return torch.float32 if model.device.type == "cpu" else torch.float16
