"""safetensors files: opened, validated and read tensor by tensor through memory mapping."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from modules.weights.errors import BadHeader, EmptyFile, TruncatedFile, UnreadableFile, readable_size
from modules.weights.header import MAX_HEADER, Header, HeaderError, parse_header
from modules.weights.mapped import map_tensor, open_regular, reason, torch_dtype
from modules.weights.sniff import SAMPLE, refuse_other_formats

if TYPE_CHECKING:
    import torch


class TensorFile:
    """An open safetensors file whose whole layout has been checked; use it as a context manager, or close it."""

    def __init__(self, path: Path, file: BinaryIO, header: Header, data_start: int, kind: str) -> None:
        self.path = path
        self.tensors = header.tensors
        self.metadata = header.metadata
        self.kind = kind
        self._file = file
        self._data_start = data_start

    @classmethod
    def open(cls, path: str | Path, *, kind: str = "file") -> TensorFile:
        """Open and validate; `kind` is the noun in messages ("checkpoint", "VAE").

        Raises UnreadableFile, EmptyFile, PointerFile, NotWeights, PickleFile, TruncatedFile or BadHeader.
        """
        path = Path(path)
        file = open_regular(path, kind)
        try:
            header, data_start = _read_header(path, file, kind)
        except OSError as error:
            file.close()
            raise UnreadableFile(path, f"cannot be read ({reason(error)}); check the disk", kind=kind) from error
        except BaseException:
            file.close()
            raise
        return cls(path, file, header, data_start, kind)

    @property
    def values(self) -> Mapping[str, str]:
        """What the file holds besides tensors: its metadata."""
        return self.metadata

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every tensor."""
        return {key: info.shape for key, info in self.tensors.items()}

    def keys(self) -> Iterator[str]:
        return iter(self.tensors)

    def read(self, key: str, dtype: torch.dtype | None = None, device: torch.device | str = "cpu") -> torch.Tensor:
        """One tensor in memory of its own, as `dtype` (None: as stored) on `device`.

        The result stays valid when the file is closed, replaced or deleted. Raises KeyError for an unknown key,
        TruncatedFile when the file became shorter since it was opened, UnsupportedFamily for a dtype that torch lacks.
        """
        import torch

        info = self.tensors[key]
        stored = torch_dtype(self.path, info.dtype, self.kind)
        if info.start == info.end:
            return torch.empty(info.shape, dtype=dtype or stored, device=device)
        start, end = self._data_start + info.start, self._data_start + info.end
        view = map_tensor(self.path, self._file, start, end, stored, self.kind).view(info.shape)
        return view.to(device=device, dtype=dtype or stored, copy=True)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> TensorFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _read_header(path: Path, file: BinaryIO, kind: str) -> tuple[Header, int]:
    """The validated header and the offset of the data part."""
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise EmptyFile(path, "is empty; download it again", kind=kind)
    sample = file.read(SAMPLE)
    refuse_other_formats(path, sample, size, kind)
    length = int.from_bytes(sample[:8], "little")
    _check_header_length(path, length, size, kind)
    file.seek(8)
    try:
        header = parse_header(file.read(length))
    except HeaderError as error:
        raise BadHeader(path, f"is damaged: its header {error}; download it again", kind=kind) from error
    _check_data_size(path, 8 + length + header.data_size, size, kind)
    return header, 8 + length


def _check_header_length(path: Path, length: int, size: int, kind: str) -> None:
    if length > MAX_HEADER:
        problem = f"is no safetensors file or is damaged: its header would take {readable_size(length)}; download it again"
        raise BadHeader(path, problem, kind=kind)
    if length < 2:
        raise BadHeader(path, "is damaged: it has no header; download it again", kind=kind)
    if 8 + length > size:
        problem = f"is truncated: {readable_size(size)}, less than its header of {readable_size(length)}; download it again"
        raise TruncatedFile(path, problem, kind=kind)


def _check_data_size(path: Path, promised: int, size: int, kind: str) -> None:
    if size < promised:
        shown, whole = readable_size(size), readable_size(promised)
        amount = f"{shown} of {whole}" if shown != whole else f"{promised - size:,} bytes of {whole} are missing"
        raise TruncatedFile(path, f"is truncated: {amount}; download it again", kind=kind)
    if size > promised:
        problem = f"is damaged: {readable_size(size - promised)} follow its last tensor; download it again"
        raise BadHeader(path, problem, kind=kind)
