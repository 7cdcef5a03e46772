"""Enlarging pictures by name: the rule that brings every upscaler to the wanted size (generation.md §10.7 of the reference)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from modules.enhance.catalog import PLAIN, UpscalerInfo, list_upscalers
from modules.enhance.errors import ModelMissing, PictureTooLarge, UnknownUpscaler
from modules.enhance.network import NetworkCache, Placement

if TYPE_CHECKING:
    from modules.enhance.tiling import Watch

PASSES = 3
MAX_PIXELS = 256_000_000
"""Of a result, and of any picture on the way to it: 16,000 x 16,000."""
LANCZOS, NEAREST = Image.Resampling.LANCZOS, Image.Resampling.NEAREST
FILTERS = {"Lanczos": LANCZOS, "Nearest": NEAREST}


def unwatched(done: int, total: int) -> bool:
    """The watch of nobody: go on."""
    return True


class Upscalers:
    """The upscalers of one program; networks are loaded when a picture needs them."""

    def __init__(self, folders: Mapping[str, Path], options: Any, place: Placement) -> None:
        self._folders, self._options = folders, options
        self._networks = NetworkCache(place)
        self._watch: Watch = unwatched

    def watched(self, watch: Watch) -> Upscalers:
        """The same upscalers, telling `watch` about their progress and asking it whether to go on."""
        twin = object.__new__(Upscalers)
        twin.__dict__.update(self.__dict__, _watch=watch)
        return twin

    def names(self) -> list[str]:
        return [info.name for info in self.list()]

    def list(self) -> list[UpscalerInfo]:
        """Every upscaler there is or could be."""
        return list_upscalers(self._folders, self._options)

    def get(self, name: str | None) -> UpscalerInfo:
        """The upscaler of this name (nothing at all means "None"). Raises UnknownUpscaler."""
        found = self.list()
        for info in found:
            if info.name == (name or "None"):
                return info
        raise UnknownUpscaler(str(name), [info.name for info in found])

    def check(self, name: str | None) -> UpscalerInfo:
        """The upscaler of this name, ready to be used. Raises UnknownUpscaler, and ModelMissing where its file is not there."""
        info = self.get(name)
        if not info.installed and info.file is not None:
            raise ModelMissing(f"upscaler {info.name}", info.file.name, info.file.parent, info.url)
        return info

    def upscale(self, image: Image.Image, scale: float, name: str | None, settings: Any = None) -> Image.Image:
        """The picture enlarged by about `scale`: sides are multiples of 8, rounded down.

        The upscaler runs until the size is reached, at most three times; Lanczos does the rest, all of it once the watch stops the job.
        Raises UnknownUpscaler, ModelMissing, UnsupportedModel, WeightsError, PictureTooLarge.
        """
        info = self.check(name)
        width, height = int(image.width * scale // 8 * 8), int(image.height * scale // 8 * 8)
        check_pixels(max(width, 1), max(height, 1))
        once = self._enlarger(info, scale, settings or self._options)
        for number in range(PASSES):
            # A1111: a factor of exactly 1 still runs the network once
            if image.width >= width and image.height >= height and (number > 0 or scale != 1):
                break
            before, image = image.size, once(image)
            if image.size == before:
                break
        return image if image.size == (width, height) else image.resize((max(width, 1), max(height, 1)), LANCZOS)

    def _enlarger(self, info: UpscalerInfo, scale: float, settings: Any) -> Callable[[Image.Image], Image.Image]:
        """One application of an upscaler."""
        if info.family is PLAIN:
            if info.name not in FILTERS:
                return lambda image: image
            return lambda image: image.resize((int(image.width * scale), int(image.height * scale)), FILTERS[info.name])
        return lambda image: self._through_network(info, image, settings)

    def _through_network(self, info: UpscalerInfo, image: Image.Image, settings: Any) -> Image.Image:
        from modules.enhance.tiling import Stopped, upscale_by_pixels, upscale_by_tensors

        assert info.file is not None
        family = info.family
        if not self._watch(0, 1):
            return image
        network = self._networks.get(info.file, family.device)
        check_pixels(image.width * network.scale, image.height * network.scale)
        by_tiles = upscale_by_tensors if family.tiling == "tensors" else upscale_by_pixels
        tile, overlap = (int(getattr(settings, f"{family.settings}_tile{end}")) for end in ("", "_overlap"))
        try:
            return by_tiles(network, image, tile, overlap, self._watch)
        except Stopped:
            return image


def check_pixels(width: float, height: float) -> None:
    """Raise PictureTooLarge for a size that no memory is meant for."""
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise PictureTooLarge(f"{int(width)}x{int(height)} is more than {limit} million pixels; take a smaller picture or factor")
