"""From a picture's latent back to the noise it would have come from: Euler's method walked upwards (generation.md §10.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules.pipeline.model import CondBatch, ImageCond
from modules.pipeline.sample import Samples, batch_noise, sample_img2img, sampling_schedule
from modules.pipeline.text import SizeConditioning, TextConditioner

if TYPE_CHECKING:
    from modules.diffusion.schedule import DiscreteSchedule
    from modules.pipeline.run import Run


@dataclass(frozen=True)
class NoiseFinder:
    """How noise is found: the texts of the picture as it is, guidance, the number of steps.

    `adjusted` evaluates each step at the level it starts from and scales the result by the last level.
    """

    prompt: str
    negative_prompt: str
    cfg_scale: float
    steps: int
    adjusted: bool = False

    @torch.inference_mode()
    def __call__(self, p: Any) -> Tensor:
        """Noise [B, C, h, w] of the request's init latent."""
        run: Run = p.run
        schedule = sampling_schedule(run)
        walk = _Walk(run, schedule, self)
        sigmas = schedule.get_sigmas(self.steps).flip(0).to(p.init_latent.device)
        x = p.init_latent
        for i in range(1, len(sigmas)):
            run.runtime.state.raise_if_stopped()
            below, above = sigmas[i - 1], sigmas[i]
            if not self.adjusted:
                slope = (x - walk.denoised(x, above, above)) / above
            elif i == 1:
                # A1111: the lowest level is 0, so the network is told the next one
                slope = (x - walk.denoised(x, below, above)) / (2 * above)
            else:
                slope = (x - walk.denoised(x, below, below)) / below
            x = x + slope * (above - below)
        return x / sigmas[-1] if self.adjusted else x / x.std()


class _Walk:
    """The network with guidance for a finder's texts."""

    def __init__(self, run: Run, schedule: DiscreteSchedule, finder: NoiseFinder) -> None:
        self.run, self.schedule, self.cfg_scale = run, schedule, finder.cfg_scale
        count = len(run.p.init_latent)  # type: ignore[arg-type]
        cond = self._encoded(finder.prompt, negative=False, count=count)
        uncond = self._encoded(finder.negative_prompt, negative=True, count=count)
        tokens = max(cond.tokens, uncond.tokens)
        self.texts = uncond.resized(tokens) + cond.resized(tokens)
        image: ImageCond = run.p.image_conditioning or ImageCond()
        rows = list(range(count))
        self.concat = image.rows(rows, rows).concat

    def _encoded(self, text: str, *, negative: bool, count: int) -> CondBatch:
        p, settings = self.run.p, self.run.settings
        size = SizeConditioning.of(settings, p.width, p.height, negative=negative)
        encoded = TextConditioner(self.run.model, settings).encode([text], size, negative=negative)
        return CondBatch.of(encoded * count)

    def denoised(self, x: Tensor, sigma: Tensor, told: Tensor) -> Tensor:
        """The guided prediction at `sigma`; the network is told the timestep of `told`."""
        levels = sigma * x.new_ones(2 * len(x))
        c_in = 1 / (sigma**2 + 1.0) ** 0.5
        # A1111: velocity models go without the part of the latent that passes by the network
        c_out = -sigma * c_in if self.run.model.prediction == "v" else -sigma
        t = self.schedule.sigma_to_t(told * torch.ones_like(levels))
        both = torch.cat([x, x])
        outputs = both + self.run.model.apply(both * c_in, t, self.texts, self.concat) * c_out
        uncond, cond = outputs.chunk(2)
        return uncond + (cond - uncond) * self.cfg_scale


class _Given:
    """A noise stream whose first draw is given."""

    def __init__(self, noise: Tensor, stream: Any) -> None:
        self._noise, self._stream = noise, stream

    def first(self) -> Tensor:
        return self._noise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def drawn_noise(p: Any) -> Tensor:
    """The noise [B, C, h, w] the batch would begin with."""
    return batch_noise(p.run, *p.init_latent.shape[2:]).first()


def sample_from(p: Any, noise: Tensor) -> Samples:
    """Sample the batch so that the walk begins at `noise` alone: what the init latent adds to it is taken off."""
    sigma = sampling_schedule(p.run).get_sigmas(p.steps)[0].to(noise.device)
    p.rng = _Given(noise - p.init_latent / sigma, p.rng)
    p.initial_noise_multiplier = 1.0
    return sample_img2img(p.run)
