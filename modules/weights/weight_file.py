"""What every open weight file offers, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modules.weights.header import TensorInfo

if TYPE_CHECKING:
    import torch


class WeightFile(Protocol):
    """An open file of named tensors, each read from disk when asked for; use it as a context manager, or close it."""

    path: Path
    kind: str
    """The noun in messages: "checkpoint", "VAE", "embedding"."""
    metadata: dict[str, str]

    @property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """Dtype (safetensors' name) and shape of every tensor."""
        ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every tensor."""
        ...

    @property
    def values(self) -> Mapping[Any, Any]:
        """What the file holds besides tensors: safetensors' metadata; a pickle's numbers, texts, lists and dicts of these."""
        ...

    def keys(self) -> Iterator[str]: ...

    def read(self, key: str, dtype: torch.dtype | None = None, device: torch.device | str = "cpu") -> torch.Tensor:
        """One tensor in memory of its own, as `dtype` (None: as stored) on `device`; valid after the file is closed."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> WeightFile: ...

    def __exit__(self, *exc: object) -> None: ...
