"""Textual inversions (Gal et al. 2022): learned vectors under a name, from every kind of file that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.adapters.picture_embeddings import data_in_picture
from modules.weights import hashes
from modules.weights.errors import UnknownFamily, WrongShape
from modules.weights.open_tensors import open_tensors

if TYPE_CHECKING:
    from torch import Tensor

TENSOR_SUFFIXES = frozenset((".pt", ".bin", ".safetensors"))
PICTURE_SUFFIXES = frozenset((".png", ".webp", ".jxl", ".avif"))
SUFFIXES = TENSOR_SUFFIXES | PICTURE_SUFFIXES
MAX_VECTORS = 10_000
KIND = "embedding"


@dataclass(frozen=True)
class Embedding:
    """The vectors [n, width] of one textual inversion by text tower: "clip_l" and, for SDXL, "clip_g"."""

    name: str
    vectors_by_tower: Mapping[str, Tensor] = field(repr=False)
    filename: Path | None = None
    step: int | None = None
    sd_checkpoint: str | None = None
    sd_checkpoint_name: str | None = None
    bundled_in: str | None = None
    """Name of the network file that brought it along."""

    @property
    def vectors(self) -> int:
        """Token positions it takes."""
        return int(next(iter(self.vectors_by_tower.values())).shape[0])

    @property
    def shape(self) -> int:
        """Width of all vectors together: 768 for SD1, 1024 for SD2, 2048 for SDXL."""
        return sum(int(tensor.shape[-1]) for tensor in self.vectors_by_tower.values())

    @property
    def is_sdxl(self) -> bool:
        return "clip_g" in self.vectors_by_tower and "clip_l" in self.vectors_by_tower

    def for_tower(self, tower: str) -> Tensor:
        """The vectors [n, width] for "clip_l" or "clip_g"; files for one tower do not say which."""
        vectors = self.vectors_by_tower
        return vectors[tower] if tower in vectors else next(iter(vectors.values()))

    def sha256(self, cache: Path | None) -> str | None:
        """SHA-256 of the file; None for one that has none or is gone."""
        try:
            return hashes.sha256_of(self.filename, cache) if self.filename and not self.bundled_in else None
        except OSError:
            return None

    def checksum(self) -> str:
        """A1111's first hash of embeddings: 4 hex digits over all values (generation.md §9.5)."""
        result = 0
        for value in self.for_tower("clip_l").flatten().tolist():
            result = ((result * 281) ^ (int(value * 100) * 997)) & 0xFFFFFFFF
        return f"{result & 0xFFFF:04x}"


def load_embedding(path: Path) -> Embedding | None:
    """The embedding in a file; None for a picture that holds none. Raises a WeightsError."""
    name = path.stem
    if path.suffix.lower() in PICTURE_SUFFIXES:
        data = data_in_picture(path)
        return None if data is None else embedding_of(data.tensors, str(data.values.get("name", name)), path, data.values)
    with open_tensors(path, kind=KIND) as file:
        tensors = {key: file.read(key) for key in file.keys()}  # noqa: SIM118  # a file is no dict
        return embedding_of(tensors, name, path, file.values)


def embedding_of(tensors: Mapping[str, Tensor], name: str, path: Path, values: Mapping[Any, Any] | None = None) -> Embedding:
    """The embedding that a file's tensors make.

    Known forms: `string_to_param.*` with exactly one entry, `clip_l` with `clip_g` (SDXL), and one lone tensor under any
    name. Raises UnknownFamily for others and WrongShape for tensors that are no vectors.
    """
    notes = values or {}
    known = {
        "step": _whole(notes.get("step")),
        "sd_checkpoint": _text(notes.get("sd_checkpoint")),
        "sd_checkpoint_name": _text(notes.get("sd_checkpoint_name")),
    }
    return Embedding(name, _towers(tensors, path), path, **known)  # type: ignore[arg-type]


def _towers(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    if "clip_l" in tensors and "clip_g" in tensors:
        # A1111: clip_g comes first; the order only shows in the width's sum
        towers = {tower: _vectors(tensors[tower], path) for tower in ("clip_g", "clip_l")}
        if len(towers["clip_g"]) != len(towers["clip_l"]):
            raise WrongShape(path, "has different numbers of vectors for its two text encoders; download it again", kind=KIND)
        return towers
    learned = [tensor for key, tensor in tensors.items() if key.startswith("string_to_param.")]
    if len(learned) > 1:
        raise UnknownFamily(path, "holds several embeddings in one file; save them one by one", kind=KIND)
    lone = learned or (list(tensors.values()) if len(tensors) == 1 else [])
    if not lone:
        raise UnknownFamily(path, "is no textual inversion of a known form; put embeddings there and nothing else", kind=KIND)
    return {"clip_l": _vectors(lone[0], path)}


def _vectors(tensor: Tensor, path: Path) -> Tensor:
    """Vectors as float32 [n, width]; a single one may come without its first axis."""
    rows = tensor[None] if tensor.ndim == 1 else tensor
    if rows.ndim != 2 or not 0 < rows.shape[0] <= MAX_VECTORS or not rows.shape[1] or not rows.is_floating_point():
        raise WrongShape(path, f"holds a tensor of shape {list(tensor.shape)} where vectors were expected; choose another one", kind=KIND)
    return rows.detach().float()


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
