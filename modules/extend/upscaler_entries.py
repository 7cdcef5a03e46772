"""The upscalers as scripts find them in `shared.sd_upscalers` (platform.md §4.11 of the reference)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Scaler:
    """What enlarges a picture: `upscale(picture, factor, path)`, the path for scripts that pass one."""

    services: Any
    name: str

    def upscale(self, img: Image.Image, scale: float, selected_model: str | None = None) -> Image.Image:
        """The picture enlarged; sides are multiples of 8."""
        result: Image.Image = self.services.upscale(img, scale, self.name)
        return result


@dataclass(frozen=True)
class UpscalerEntry:
    """One upscaler of the list."""

    name: str
    data_path: str | None
    scaler: Scaler
    scale: float = 4.0
    model: Any = None

    @property
    def local_data_path(self) -> str | None:
        return self.data_path


def upscaler_entries(services: Any) -> list[UpscalerEntry]:
    """An entry for each upscaler that `services` lists."""
    return [
        UpscalerEntry(info.name, None if info.file is None else str(info.file), Scaler(services, info.name), info.scale)
        for info in services.list()
    ]
