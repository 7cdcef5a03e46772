"""A picture on its way through the steps of the Extras page (platform.md §4.5 of the reference)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

MOST_ALIKE = 10_000


@dataclass
class SharedInfo:
    """What steps tell each other: the size in pixels that the picture is to have in the end."""

    target_width: int | None = None
    target_height: int | None = None


class PostprocessedImage:
    """A picture, what was done to it (`info`, in the order of the infotext), and the pictures that steps made besides."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.info: dict[str, Any] = {}
        self.shared = SharedInfo()
        self.extra_images: list[Any] = []
        self.nametags: list[str] = []
        self.disable_processing = False
        self.caption: str | None = None

    def get_suffix(self, used_suffixes: dict[str, int] | None = None) -> str:
        """The end of the file's name: the tags, and a number where `used_suffixes` has the same already; it is noted there."""
        used = {} if used_suffixes is None else used_suffixes
        tags = "-".join(self.nametags)
        first = f"-{tags}" if tags else ""
        suffix = next(
            (text for text in (first, *(f"{first}-{number}" for number in range(1, MOST_ALIKE))) if text not in used),
            first,
        )
        used[suffix] = 1
        return suffix

    def create_copy(
        self, new_image: Image.Image, *, nametags: Sequence[str] | None = None, disable_processing: bool = False
    ) -> PostprocessedImage:
        """Another picture with the same history; it passes through the following steps unless `disable_processing`."""
        copy = PostprocessedImage(new_image)
        copy.shared = self.shared
        copy.nametags = [*self.nametags, *(nametags or ())]
        copy.info = dict(self.info)
        copy.disable_processing = disable_processing
        return copy
