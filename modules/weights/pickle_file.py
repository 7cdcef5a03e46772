"""Pickled weight files (`.ckpt`, `.pt`, `.pth`, `.bin`), read without running them and tensor by tensor from disk."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from modules.weights.errors import BadPickle, TruncatedFile, UnreadableFile, UnsafePickle, UnsupportedFamily, WeightsError
from modules.weights.header import TensorInfo
from modules.weights.mapped import map_tensor, open_regular, reason, torch_dtype
from modules.weights.pickle_opcodes import Source
from modules.weights.pickle_reader import read_pickle
from modules.weights.pickle_tree import check_total, split
from modules.weights.pickle_values import ITEM_SIZES, Broken, Cut, PickleError, StoredTensor, Unsafe, Unsupported
from modules.weights.torch_legacy import Storages, read_legacy
from modules.weights.torch_zip import read_archive

if TYPE_CHECKING:
    import torch


class PickleTensorFile:
    """An open pickled file whose whole layout has been checked; use it as a context manager, or close it.

    Nothing of what the pickle asks for is imported or called; what is not in our allow-list is an error.
    """

    def __init__(self, path: Path, file: BinaryIO, value: Any, starts: Mapping[str, int], kind: str) -> None:
        self.path = path
        self.kind = kind
        self.metadata: dict[str, str] = {}
        self._stored, self.values = split(value)
        self._file = file
        self._starts = starts
        check_total(self._stored, os.fstat(file.fileno()).st_size)

    @classmethod
    def open(cls, path: str | Path, *, kind: str = "file") -> PickleTensorFile:
        """Open and validate, whatever the settings say about pickles; `kind` is the noun in messages.

        Raises UnreadableFile, TruncatedFile, BadPickle, UnsafePickle or UnsupportedFamily.
        """
        path = Path(path)
        file = open_regular(path, kind)
        try:
            value, starts = _load(file, os.fstat(file.fileno()).st_size)
            return cls(path, file, value, starts, kind)
        except PickleError as error:
            file.close()
            raise _typed(path, error, kind) from error
        except OSError as error:
            file.close()
            raise UnreadableFile(path, f"cannot be read ({reason(error)}); check the disk", kind=kind) from error
        except BaseException:
            file.close()
            raise

    @property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """Dtype and shape of every tensor; `end` is its size in bytes."""
        return {name: TensorInfo(t.dtype, t.shape, 0, t.elements * ITEM_SIZES[t.dtype]) for name, t in self._stored.items()}

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every tensor."""
        return {name: tensor.shape for name, tensor in self._stored.items()}

    def keys(self) -> Iterator[str]:
        return iter(self._stored)

    def read(self, key: str, dtype: torch.dtype | None = None, device: torch.device | str = "cpu") -> torch.Tensor:
        """One tensor, contiguous and in memory of its own, as `dtype` (None: as stored) on `device`.

        Raises KeyError, TruncatedFile when the file became shorter, UnsupportedFamily for a dtype that torch lacks.
        """
        import torch

        tensor = self._stored[key]
        stored = torch_dtype(self.path, tensor.dtype, self.kind)
        if not tensor.elements:
            return torch.empty(tensor.shape, dtype=dtype or stored, device=device)
        view = torch.as_strided(self._flat(tensor, stored), tensor.shape, tensor.strides)
        return view.to(device=device, dtype=dtype or stored, copy=True, memory_format=torch.contiguous_format)

    def _flat(self, tensor: StoredTensor, dtype: torch.dtype) -> torch.Tensor:
        """What the view spans of its storage."""
        import torch

        storage, size = tensor.storage, dtype.itemsize
        first = storage.start + tensor.offset * size
        last = first + tensor.span * size
        if storage.data is not None:
            return torch.frombuffer(bytearray(storage.data[first:last]), dtype=dtype)
        begin = self._starts[storage.key]
        return map_tensor(self.path, self._file, begin + first, begin + last, dtype, self.kind)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> PickleTensorFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _load(file: BinaryIO, size: int) -> tuple[Any, Mapping[str, int]]:
    """The value of a zip, legacy or bare pickle, and where its storages lie in the file."""
    start = file.read(512)
    file.seek(0)
    if start.startswith(b"PK"):
        return _load_zip(file, size)
    if start[257:262] == b"ustar":
        raise Unsafe("is in torch's oldest format, a tar archive, which is not read")
    legacy = read_legacy(file, size)
    if legacy is not None:
        return legacy.value, legacy.starts
    file.seek(0)
    value = read_pickle(Source(file))
    if file.read(1):
        raise Unsafe("goes on after its pickle")
    return value, {}


def _load_zip(file: BinaryIO, size: int) -> tuple[Any, Mapping[str, int]]:
    archive = read_archive(file, size)
    if archive.content("byteorder", 16) not in (None, b"little"):
        raise Broken("was written on a big-endian machine")
    blocks = {name.removeprefix("data/"): member for name, member in archive.members.items() if name.startswith("data/")}
    raw = archive.content("data.pkl") or b""
    stream = io.BytesIO(raw)
    value = read_pickle(Source(stream), Storages({key: member.size for key, member in blocks.items()}))
    if stream.tell() != len(raw):
        raise Unsafe("goes on after its pickle")
    return value, {key: member.start for key, member in blocks.items()}


def _typed(path: Path, error: PickleError, kind: str) -> WeightsError:
    """The error for the user: what is wrong, and the way out."""
    if isinstance(error, Unsupported):
        return UnsupportedFamily(path, f"{error}; take its fp16 or fp32 version", family=error.family, kind=kind)
    if isinstance(error, Unsafe):
        return UnsafePickle(path, f"is refused: it {error}. Nothing of it was run; get the file as safetensors", kind=kind)
    if isinstance(error, Cut):
        return TruncatedFile(path, f"{error}; download it again", kind=kind)
    return BadPickle(path, f"is damaged or no weight file: it {error}; download it again", kind=kind)
