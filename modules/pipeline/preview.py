"""Live previews: what the picture looks like so far (generation.md §3.5 of the reference)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PIL import Image
from torch import Tensor

from modules.imaging.grid import image_grid
from modules.pipeline.approximations import Approximations
from modules.pipeline.pixels import to_images

if TYPE_CHECKING:
    from modules.pipeline.model import DiffusionModel
    from modules.pipeline.state import JobState
    from modules.settings.store import SettingsView

CELL = 8


class Previewer:
    """Publishes a preview of the running batch when one is due."""

    def __init__(
        self, model: DiffusionModel, settings: SettingsView, state: JobState, approximations: Approximations | None = None
    ) -> None:
        self._model = model
        self._settings = settings
        self._state = state
        self._approximations = approximations or Approximations([])
        self._shown = time.monotonic()

    def offer(self, latents: Tensor, step: int, model: DiffusionModel | None = None) -> None:
        """Show latents [B, C, h, w] if previews are on and it is time; `model` is the one in use where it has changed.

        It is time every n steps and, with the quick methods, also a refresh period after the last; -1 shows nothing while sampling.
        """
        opts = self._settings
        every = int(opts.show_progress_every_n_steps)
        if not opts.live_previews_enable or every < 0:
            return
        self._model = model or self._model
        due = every == 0 or step % every == 0
        waited = time.monotonic() - self._shown >= float(opts.live_preview_refresh_period) / 1000
        if due or (waited and self.method != "Full"):
            self._state.show(self.render(latents))
            self._shown = time.monotonic()

    @property
    def method(self) -> str:
        """The method of the settings; a model whose networks take turns is not decoded in full unless they allow it."""
        method = str(self._settings.show_progress_type)
        if method == "Full" and self._model.offloading is not None and not self._settings.live_preview_allow_lowvram_full:
            return "Approx NN"
        return method

    def render(self, latents: Tensor) -> Image.Image:
        """A picture of the latents at the size of the result, several of a batch as a grid where the settings want it."""
        if not self._settings.show_progress_grid:
            latents = latents[:1]
        if self.method == "Full":
            images = to_images(self._model.decode(latents))
        else:
            images = to_images(self._approximations.preview(self._model, latents, self.method))
        size = (latents.shape[3] * CELL, latents.shape[2] * CELL)
        images = [image if image.size == size else image.resize(size, Image.Resampling.BICUBIC) for image in images]
        return images[0] if len(images) == 1 else image_grid(images)
