"""Noise (platform.md §4.14)."""

from __future__ import annotations

from typing import Any

from modules.devices import randn as randn
from modules.devices import randn_local as randn_local
from modules.diffusion import rng as _rng
from modules.diffusion.rng import slerp as slerp
from modules.extend import host


class ImageRNG(_rng.ImageRNG):
    """The noise of a batch of pictures, from the source that the settings choose."""

    def __init__(
        self,
        shape: Any,
        seeds: Any,
        subseeds: Any = None,
        subseed_strength: float = 0.0,
        seed_resize_from_h: int = 0,
        seed_resize_from_w: int = 0,
        **more: Any,
    ) -> None:
        current = host.current()
        more.setdefault("source", current.opts.randn_source)
        more.setdefault("device", current.engine.models.compute.device)
        more.setdefault("eta_noise_seed_delta", int(current.opts.eta_noise_seed_delta))
        subseeds = list(seeds) if subseeds is None else subseeds
        super().__init__(tuple(shape), list(seeds), subseeds, subseed_strength, seed_resize_from_h, seed_resize_from_w, **more)
