"""Live previews: what the picture looks like so far, cheaply (generation.md §3.5 of the reference)."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from modules.imaging.grid import image_grid
from modules.nets.vae_approx import CHEAP_ROWS
from modules.pipeline.pixels import to_images

if TYPE_CHECKING:
    from modules.pipeline.model import DiffusionModel
    from modules.pipeline.state import JobState
    from modules.settings.store import SettingsView

FACTORS_KEY = "easel.latent_rgb"
"""Metadata key of a checkpoint whose latents are its own: JSON rows [R, G, B] per latent channel, then a bias row."""


class Previewer:
    """Publishes a preview of the running batch when one is due."""

    def __init__(self, model: DiffusionModel, settings: SettingsView, state: JobState) -> None:
        self._model = model
        self._settings = settings
        self._state = state
        self._shown = time.monotonic()
        self._factors = latent_factors(model)

    def offer(self, latents: Tensor, step: int) -> None:
        """Show latents [B, C, h, w] if previews are on and it is time: every n steps, or a refresh period after the last."""
        opts = self._settings
        every = int(opts.show_progress_every_n_steps)
        if not opts.live_previews_enable or every == 0:
            return
        due = every > 0 and step % every == 0
        if not due and time.monotonic() - self._shown < float(opts.live_preview_refresh_period) / 1000:
            return
        self._state.show(self.render(latents))
        self._shown = time.monotonic()

    def render(self, latents: Tensor) -> Image.Image:
        """A picture of the latents: decoded in full when the settings ask for it, else by a linear map of the channels."""
        if self._settings.show_progress_type == "Full":
            images = to_images(self._model.decode(latents))
        else:
            images = approximate(latents, self._factors)
        if not self._settings.show_progress_grid:
            images = images[:1]
        return images[0] if len(images) == 1 else image_grid(images)


def latent_factors(model: DiffusionModel) -> Tensor:
    """Rows [C (+1), 3] that map a model's latents to colours; a last extra row is a constant."""
    own = model.checkpoint.metadata.get(FACTORS_KEY)
    rows = json.loads(own) if own else CHEAP_ROWS["sdxl" if model.is_sdxl else "sd"]
    return torch.tensor(rows, dtype=torch.float32)


def approximate(latents: Tensor, factors: Tensor) -> list[Image.Image]:
    """Pictures of the latents' own size times 8, from a linear map of their channels."""
    latents = latents.detach().float().cpu()
    channels = latents.shape[1]
    colours = torch.einsum("bchw,cr->brhw", latents, factors[:channels])
    if len(factors) > channels:
        colours = colours + factors[channels][None, :, None, None]
    return [image.resize((image.width * 8, image.height * 8), Image.Resampling.BICUBIC) for image in to_images(colours)]
