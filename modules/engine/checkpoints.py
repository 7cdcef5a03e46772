"""The checkpoints a user has: listing, naming and looking them up as A1111 does (generation.md §9.5 of the reference)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modules.engine.paths import PROGRAM, Paths
from modules.weights import hashes, pickle_policy
from modules.weights.errors import WeightsError
from modules.weights.safetensors_file import TensorFile

SUFFIXES = {".safetensors", ".ckpt"}
VAE_SUFFIXES = (".vae.ckpt", ".vae.safetensors")


class CheckpointNotFound(LookupError):
    """No checkpoint answers to a name; the message lists what there is."""


@dataclass
class CheckpointInfo:
    """One checkpoint file; `sha256` is known once it was computed or found in the cache."""

    filename: Path
    name: str
    """Path relative to the checkpoint folder, with `/`."""
    sha256: str | None = None

    @property
    def model_name(self) -> str:
        return Path(self.name).stem

    @property
    def shorthash(self) -> str | None:
        return self.sha256[:10] if self.sha256 else None

    @property
    def title(self) -> str:
        return f"{self.name} [{self.shorthash}]" if self.sha256 else self.name

    @property
    def short_title(self) -> str:
        return f"{self.model_name} [{self.shorthash}]" if self.sha256 else self.model_name

    @property
    def config(self) -> Path | None:
        """The architecture `.yaml` beside the file, which overrides detection."""
        beside = self.filename.with_suffix(".yaml")
        return beside if beside.is_file() else None

    def aliases(self) -> set[str]:
        """Every exact string that names this checkpoint."""
        names = {self.name, self.model_name, self.title, self.short_title, self.filename.name, str(self.filename)}
        if self.sha256:
            names |= {self.sha256, self.sha256[:10]}
        return names


class CheckpointRegistry:
    """Checkpoints found under the checkpoint folders, in the order of their names."""

    def __init__(self, paths: Paths, *, hashing: bool = True) -> None:
        self._paths = paths
        self._hashing = hashing
        self._infos: list[CheckpointInfo] = []
        self.refresh()

    def list(self) -> list[CheckpointInfo]:
        return list(self._infos)

    def refresh(self) -> None:
        """Read the folders again; hashes already known are kept."""
        found: dict[Path, CheckpointInfo] = {}
        for folder in self._folders():
            for file in _files(folder):
                found.setdefault(file, CheckpointInfo(file, file.relative_to(folder).as_posix()))
        for info in found.values():
            info.sha256 = hashes.cached_sha256(info.filename, self._paths.cache) if self._hashing else None
        self._infos = sorted(found.values(), key=lambda info: info.name.lower())

    def _folders(self) -> tuple[Path, ...]:
        own = self._paths.checkpoints
        has_any = any(True for folder in own for _ in _files(folder))
        return own if has_any else (*own, self._paths.bundled_checkpoints)

    def find(self, name: str) -> CheckpointInfo | None:
        """The checkpoint an alias, hash or part of a title means; None when nothing fits.

        Exact aliases first, then the shortest title that contains the string, then the same
        without a trailing `[hash]`. Case matters; an empty string names nothing.
        """
        if not name:
            return None
        for info in self._infos:
            if name in info.aliases():
                return info
        for part in (name, re.sub(r"\s*\[[^\]]*\]\s*$", "", name)):
            fitting = [info for info in self._infos if part and part in info.title]
            if fitting:
                return min(fitting, key=lambda info: len(info.title))
        return None

    def get(self, name: str | None) -> CheckpointInfo:
        """Like `find`, with the first checkpoint for no name at all; raises CheckpointNotFound otherwise."""
        info = self.find(name) if name else self._first()
        if info is not None:
            return info
        if not self._infos:
            folder = self._paths.checkpoints[-1]
            raise CheckpointNotFound(f"there is no checkpoint: put a .safetensors file into {folder}")
        known = ", ".join(i.name for i in self._infos[:10])
        raise CheckpointNotFound(f"checkpoint '{name}' was not found; there are: {known}")

    def _first(self) -> CheckpointInfo | None:
        """The first of the list, past pickles as long as reading those is off."""
        readable = (info for info in self._infos if info.filename.suffix.lower() != ".ckpt" or pickle_policy.allows("checkpoint"))
        return next(readable, self._infos[0] if self._infos else None)

    def ensure_hash(self, info: CheckpointInfo) -> None:
        """Compute the SHA-256 that infotexts carry, unless hashing is off or it is known."""
        if self._hashing and not info.sha256:
            info.sha256 = hashes.sha256_of(info.filename, self._paths.cache)


def native_size(info: CheckpointInfo) -> tuple[int, int] | None:
    """Width and height of `modelspec.resolution` in a checkpoint's metadata ("128x128"); None where it says nothing."""
    try:
        with TensorFile.open(info.filename) as file:
            resolution = file.metadata.get("modelspec.resolution", "")
    except WeightsError:
        return None
    match = re.fullmatch(r"(\d{2,5})x(\d{2,5})", resolution.strip())
    return (int(match[1]), int(match[2])) if match else None


def display_path(path: Path) -> str:
    """A path as settings and the API show it: relative where it lies inside the program's folder."""
    return str(path.relative_to(PROGRAM)) if path.is_relative_to(PROGRAM) else str(path)


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder, followlinks=True):
        for name in names:
            lower = name.lower()
            if Path(lower).suffix in SUFFIXES and not lower.endswith(VAE_SUFFIXES):
                yield Path(root, name)
