"""Where the noise of a picture comes from: three sources, one private stream per image, variations and seed resize."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from modules.diffusion.errors import SizeMismatch
from modules.diffusion.philox import PhiloxGenerator

NoiseSource = Literal["CPU", "GPU", "NV"]
SOURCES: tuple[NoiseSource, ...] = ("CPU", "GPU", "NV")
SLERP_PARALLEL = 0.9995


class NoiseGenerator:
    """One seeded stream of standard normal tensors of a source ("CPU", "GPU", "NV"), delivered float32 on `device`."""

    def __init__(self, seed: int, source: NoiseSource = "GPU", device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._philox: PhiloxGenerator | None = None
        if source == "NV":
            self._philox = PhiloxGenerator(seed)
            return
        # A1111: MPS has no generator of its own worth repeating, so GPU noise is CPU noise there.
        on_cpu = source == "CPU" or self.device.type == "mps"
        self._draw_device = torch.device("cpu") if on_cpu else self.device
        self._torch = torch.Generator(self._draw_device)
        self._torch.manual_seed(int(seed))

    def randn(self, shape: Sequence[int]) -> Tensor:
        """The next draw, a float32 tensor of `shape`."""
        if self._philox is not None:
            return torch.from_numpy(self._philox.randn(shape)).to(self.device)
        noise = torch.randn(tuple(shape), generator=self._torch, device=self._draw_device, dtype=torch.float32)
        return noise.to(self.device)


def randn(seed: int, shape: Sequence[int], source: NoiseSource = "GPU", device: torch.device | str = "cpu") -> Tensor:
    """The first draw of a fresh stream: float32 standard normal of `shape`; torch's global generator is left alone."""
    return NoiseGenerator(seed, source, device).randn(shape)


def slerp(share: float, low: Tensor, high: Tensor) -> Tensor:
    """Spherical interpolation between two (C, h, w) noises, `share` in [0, 1] being the part of `high`."""
    # A1111: the norm runs over the height, not over the channels; pictures depend on it.
    low_unit = low / torch.norm(low, dim=1, keepdim=True)
    high_unit = high / torch.norm(high, dim=1, keepdim=True)
    dot = (low_unit * high_unit).sum(1)
    if dot.mean() > SLERP_PARALLEL:
        # A1111: in the near-parallel case the two ends are exchanged.
        return low * share + high * (1 - share)
    omega = torch.acos(dot)
    sine = torch.sin(omega)
    return (torch.sin((1.0 - share) * omega) / sine).unsqueeze(1) * low + (torch.sin(share * omega) / sine).unsqueeze(1) * high


def paste_centered(base: Tensor, noise: Tensor) -> Tensor:
    """Puts `noise` (C, h', w') into the middle of a copy of `base` (C, h, w), cropping what sticks out."""
    result = base.clone()
    (dst_y, src_y, height), (dst_x, src_x, width) = (_overlap(base.shape[d], noise.shape[d]) for d in (1, 2))
    result[:, dst_y : dst_y + height, dst_x : dst_x + width] = noise[:, src_y : src_y + height, src_x : src_x + width]
    return result


def _overlap(size: int, size_from: int) -> tuple[int, int, int]:
    """Destination start, source start and length of the common stretch of two centred intervals."""
    delta = (size - size_from) // 2
    length = size_from if delta >= 0 else size_from + 2 * delta
    return max(delta, 0), max(-delta, 0), length


class ImageRNG:
    """The noise of one batch: `first()` for the start, then `next()` for every draw a sampler makes.

    shape: (C, h, w) of one image's latent. seeds: one per image. subseeds, subseed_strength: variation in [0, 1].
    seed_resize_from_h/w: pixels, both > 0 to take the noise of a picture of another size. eta_noise_seed_delta (ENSD): when not
    zero, all draws after the first come from streams seeded seed + delta. Images of a batch equal the same images made alone.
    """

    def __init__(
        self,
        shape: Sequence[int],
        seeds: Sequence[int],
        subseeds: Sequence[int] | None = None,
        subseed_strength: float = 0.0,
        seed_resize_from_h: int = 0,
        seed_resize_from_w: int = 0,
        *,
        source: NoiseSource = "GPU",
        device: torch.device | str = "cpu",
        eta_noise_seed_delta: int = 0,
    ) -> None:
        if not seeds:
            raise SizeMismatch("noise was asked for without any seed; give one seed per image")
        self.shape: tuple[int, ...] = tuple(map(int, shape))
        self.seeds = [int(seed) for seed in seeds]
        self.subseeds = [int(seed) for seed in subseeds or []]
        self.subseed_strength = subseed_strength
        self.source: NoiseSource = source
        self.device = torch.device(device)
        self.eta_noise_seed_delta = int(eta_noise_seed_delta or 0)
        resizing = seed_resize_from_h > 0 and seed_resize_from_w > 0
        self.noise_shape = (self.shape[0], seed_resize_from_h // 8, seed_resize_from_w // 8) if resizing else self.shape
        self._generators = [self._stream(seed) for seed in self.seeds]

    def _stream(self, seed: int) -> NoiseGenerator:
        return NoiseGenerator(seed, self.source, self.device)

    def _first_of(self, index: int) -> Tensor:
        resizing = self.noise_shape != self.shape
        generator, seed = self._generators[index], self.seeds[index]
        noise = (self._stream(seed) if resizing else generator).randn(self.noise_shape)
        if self.subseed_strength != 0:
            subseed = self.subseeds[index] if index < len(self.subseeds) else 0
            noise = slerp(self.subseed_strength, noise, self._stream(subseed).randn(self.noise_shape))
        return paste_centered(generator.randn(self.shape), noise) if resizing else noise

    def first(self) -> Tensor:
        """The starting noise [B, C, h, w]; leaves torch's global generators seeded with the last image's seed (not with "NV")."""
        noise = torch.stack([self._first_of(index) for index in range(len(self.seeds))])
        if self.eta_noise_seed_delta != 0:
            self._generators = [self._stream(seed + self.eta_noise_seed_delta) for seed in self.seeds]
        if self.source != "NV":
            # A1111: seeded draws reseed the global streams, which the VAE's posterior noise and batch-wide Brownian trees read.
            torch.manual_seed(self.seeds[-1])
        return noise

    def next(self) -> Tensor:
        """The next noise [B, C, h, w], one draw of every image's stream."""
        return torch.stack([generator.randn(self.shape) for generator in self._generators])
