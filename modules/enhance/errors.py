"""What can go wrong while a picture is made better: one type per cause, each message with the way out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class EnhanceError(Exception):
    """A step on a picture cannot be done; the message says why and what would do."""


class UnknownUpscaler(EnhanceError):
    """No upscaler has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"could not find upscaler named {name}; there are: {', '.join(known)}")


class UnknownFaceRestorer(EnhanceError):
    """No face restorer has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"could not find face restorer named {name}; there are: {', '.join(known)}")


class ModelMissing(EnhanceError):
    """The weight file of an upscaler, restorer or detector is not there; nothing is downloaded."""

    def __init__(self, what: str, file: str, folder: Path, url: str = "") -> None:
        source = f" ({url})" if url else ""
        super().__init__(f"{what} needs {file}{source}: put it into {folder}")


class UnsupportedModel(EnhanceError):
    """A weight file is intact, but no upscaler that can be run."""


class PictureTooLarge(EnhanceError):
    """The result, or a step on the way there, would not fit into memory."""


class BadStep(EnhanceError):
    """A step of the Extras chain was given a value that it cannot use."""
