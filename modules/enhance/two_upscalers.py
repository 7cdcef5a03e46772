"""The Upscale step: by a factor or to a size, through one upscaler or a blend of two (generation.md §10.8 of the reference)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from modules.enhance.crops import fitted, limited
from modules.enhance.errors import BadStep
from modules.enhance.upscalers import Upscalers, check_pixels

BY, TO = 0, 1


@dataclass(frozen=True)
class UpscaleStep:
    """What the step is asked to do; `mode` 0 enlarges by a factor, 1 to a size."""

    mode: int = BY
    by: float = 4.0
    max_side_length: int = 0
    """Longest side of the result in mode 0; 0 is no limit."""
    width: int = 512
    height: int = 512
    crop: bool = True
    upscaler_1: str | None = None
    upscaler_2: str | None = None
    visibility_2: float = 0.0

    def check(self) -> None:
        """Raise BadStep for numbers that cannot be used."""
        if self.mode == TO and (self.width < 1 or self.height < 1):
            raise BadStep(f"upscale_to_width, upscale_to_height: must be at least 1, not {self.width}x{self.height}")
        if self.mode != TO and not 0 < self.by < 1000:
            raise BadStep(f"upscale_by: must be more than 0 and less than 1000, not {self.by}")

    def target(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size that a picture of `size` is to have."""
        return (self.width, self.height) if self.mode == TO else (int(size[0] * self.by), int(size[1] * self.by))


class UpscaleCache:
    """Results used last, so that moving the slider of the second upscaler does not compute both anew."""

    def __init__(self) -> None:
        self._images: OrderedDict[Any, Image.Image] = OrderedDict()

    def get(self, key: Any) -> Image.Image | None:
        if key in self._images:
            self._images.move_to_end(key)
        return self._images.get(key)

    def put(self, key: Any, image: Image.Image, most: int) -> None:
        """Keep a result; beyond `most` the one unused for longest goes."""
        self._images[key] = image
        while len(self._images) > max(most, 0):
            self._images.popitem(last=False)

    def clear(self) -> None:
        self._images.clear()


class TwoUpscalers:
    """Does the step, with the upscalers of the program."""

    def __init__(self, upscalers: Upscalers, settings: Any, cache: UpscaleCache, stopped: Callable[[], bool] = bool) -> None:
        self._upscalers, self._settings, self._cache, self._stopped = upscalers, settings, cache, stopped

    def apply(self, image: Image.Image, step: UpscaleStep) -> tuple[Image.Image, dict[str, Any]]:
        """The enlarged picture and the infotext of the step. Raises EnhanceError and WeightsError."""
        step.check()
        first = self._upscalers.check(step.upscaler_1)
        second = self._upscalers.check(step.upscaler_2)
        sized, info = _sized(step, image.size)
        result = self._one(image, first.name, sized)
        if sized.mode == TO and sized.crop:
            info["Postprocess crop to"] = f"{result.width}x{result.height}"
        info["Postprocess upscaler"] = first.name
        if second.name != "None" and step.visibility_2 > 0:
            other = self._one(image, second.name, sized)
            if other.mode != result.mode:
                other = other.convert(result.mode)
            result = Image.blend(result, other, step.visibility_2)
            info["Postprocess upscaler 2"] = second.name
        return result, info

    def _one(self, image: Image.Image, name: str, step: UpscaleStep) -> Image.Image:
        files = self._upscalers.get(name).file
        pixels = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        key = (pixels, image.size, name, files, step.mode, step.by, step.width, step.height, step.crop, self._tiles())
        result = self._cache.get(key)
        if result is None:
            result = self._upscalers.upscale(image, step.by, name, self._settings)
            if step.mode == TO and step.crop:
                result = fitted(result, step.width, step.height)
            if not self._stopped():  # what was cut short is no result to keep
                self._cache.put(key, result, int(self._settings.upscaling_max_images_in_cache))
        return result

    def _tiles(self) -> tuple[Any, ...]:
        names = (f"{family}_tile{end}" for family in ("ESRGAN", "DAT", "SWIN", "SCUNET") for end in ("", "_overlap"))
        return tuple(getattr(self._settings, name) for name in names)


def _sized(step: UpscaleStep, size: tuple[int, int]) -> tuple[UpscaleStep, dict[str, Any]]:
    """The step with the factor that reaches its size, and the infotext that says which size was asked for."""
    width, height = size
    if step.mode == TO:
        check_pixels(step.width, step.height)
        factor = max(step.width / width, step.height / height)
        return replace(step, by=factor), {"Postprocess upscale to": f"{step.width}x{step.height}"}
    info: dict[str, Any] = {"Postprocess upscale by": step.by}
    if step.max_side_length > 0 and max(size) * step.by > step.max_side_length:
        to_width, to_height = limited(width * step.by, height * step.by, step.max_side_length)
        factor = max(to_width / width, to_height / height)
        info["Max side length"] = step.max_side_length
        return replace(step, mode=TO, by=factor, width=to_width, height=to_height, crop=False), info
    return step, info
