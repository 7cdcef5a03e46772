"""What can be wrong with a weight file: one type per cause, each message naming the file and the cure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class WeightsError(Exception):
    """A weight file cannot be used; the message is one sentence with the file's name and the way out."""

    def __init__(self, path: str | Path, problem: str, *, kind: str = "file") -> None:
        self.path = Path(path)
        super().__init__(f"{kind} '{self.path.name}' {problem}")


class UnreadableFile(WeightsError):
    """Missing, not a regular file, or not permitted to be read."""


class EmptyFile(WeightsError):
    """No bytes at all."""


class TruncatedFile(WeightsError):
    """Shorter than its own header says: an unfinished download or copy."""


class PointerFile(WeightsError):
    """A git-LFS pointer: the few lines of text that stand for a large file."""


class NotWeights(WeightsError):
    """A web page, some text or another file format under a weight file's name."""


class PickleFile(WeightsError):
    """A pickled file (`.ckpt`, `.pt`, `.pth`, `.bin`) while reading those is switched off, or under a safetensors name."""


class UnsafePickle(WeightsError):
    """A pickle that asks for more than weights and plain values: a name, call or instruction outside the allow-list."""


class BadPickle(WeightsError):
    """A pickle or its archive breaks the format: impossible layout, sizes that do not fit, trailing or missing parts."""


class BadHeader(WeightsError):
    """The safetensors header breaks the format: absurd length, bad JSON, impossible layout, unknown dtype."""


class BadConfig(WeightsError):
    """The `.yaml` beside a checkpoint cannot be used."""


class WrongKind(WeightsError):
    """Weights of another sort (LoRA, VAE, upscaler, …) where a checkpoint or a VAE was expected."""


class UnknownFamily(WeightsError):
    """Weights whose keys are those of no model family known here."""


class UnsupportedFamily(WeightsError):
    """A known family or storage form whose network is not built in yet; `.family` names it."""

    def __init__(self, path: str | Path, problem: str, *, family: str, kind: str = "file") -> None:
        self.family = family
        super().__init__(path, problem, kind=kind)


class MissingKeys(WeightsError):
    """Tensors that the network needs are not in the file; `.keys` names them."""

    def __init__(self, path: str | Path, problem: str, *, keys: Sequence[str] = (), kind: str = "file") -> None:
        self.keys = tuple(keys)
        super().__init__(path, problem, kind=kind)


class WrongShape(WeightsError):
    """A tensor does not have the shape that the rest of the file implies."""


def readable_size(size: int) -> str:
    """A byte count for people, in decimal units: 512 bytes, 4.3 GB."""
    if size < 1000:
        return f"{size} bytes"
    value, unit = float(size), 0
    units = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")
    while value >= 999.95 and unit < len(units) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {units[unit]}"
