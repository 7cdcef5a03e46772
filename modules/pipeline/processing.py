"""The request: everything a job's pictures depend on, under A1111's field names.

A request is data. Which settings are in force is part of it (`override_settings` over the settings of the
moment it starts); what a run works out on the way lives in `modules.pipeline.process`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

MAX_SEED = 4294967294


class RequestError(ValueError):
    """A field of the request cannot be used; `.field` names it and the message says what would do."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.field = name


@dataclass(kw_only=True)
class StableDiffusionProcessing:
    """Fields common to txt2img and img2img; names, types and defaults are A1111's."""

    outpath_samples: str | None = None
    outpath_grids: str | None = None
    prompt: str | list[str] = ""
    negative_prompt: str | list[str] = ""
    styles: list[str] = field(default_factory=list)
    seed: int = -1
    subseed: int = -1
    subseed_strength: float = 0
    seed_resize_from_h: int = -1
    seed_resize_from_w: int = -1
    sampler_name: str | None = None
    scheduler: str | None = None
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 50
    cfg_scale: float = 7.0
    width: int = 512
    height: int = 512
    restore_faces: bool | None = None
    tiling: bool | None = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    extra_generation_params: dict[str, Any] = field(default_factory=dict)
    eta: float | None = None
    denoising_strength: float | None = None
    s_min_uncond: float | None = None
    s_churn: float | None = None
    s_tmax: float | None = None
    s_tmin: float | None = None
    s_noise: float | None = None
    override_settings: dict[str, Any] = field(default_factory=dict)
    override_settings_restore_afterwards: bool = True
    sampler_index: str | int | None = None
    disable_extra_networks: bool = False
    comments: dict[str, str] = field(default_factory=dict)
    user: str | None = None

    def __post_init__(self) -> None:
        self.styles = self.styles or []
        self.override_settings = dict(self.override_settings or {})
        self.extra_generation_params = dict(self.extra_generation_params or {})
        self.comments = {}

    def comment(self, text: str) -> None:
        """Add a remark that is shown with the result."""
        self.comments[text] = text

    def validate(self) -> None:
        """Raise RequestError for the first field that cannot be used."""
        for name in ("steps", "batch_size", "n_iter"):
            value = getattr(self, name)
            if not _is_whole(value) or value < 1:
                raise RequestError(name, f"must be a whole number of at least 1, not {value!r}")
        for name in ("width", "height"):
            value = getattr(self, name)
            if not _is_whole(value) or value < 8:
                raise RequestError(name, f"must be a whole number of at least 8 pixels, not {value!r}")
        if not isinstance(self.cfg_scale, int | float):
            raise RequestError("cfg_scale", f"must be a number, not {self.cfg_scale!r}")
        if self.prompt is None or self.prompt == []:
            raise RequestError("prompt", "must be a text (it may be empty)")


@dataclass(kw_only=True)
class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
    """A text-to-image request."""

    kind = "txt2img"


def fix_seed(seed: Any) -> int:
    """The seed to use: a number as it is; -1, empty, None or nonsense become a random one in [0, 4294967293]."""
    try:
        seed = int(seed)
    except (TypeError, ValueError):
        seed = -1
    return random.randrange(MAX_SEED) if seed == -1 else seed


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
