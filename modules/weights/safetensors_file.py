"""safetensors files: opened, validated and read tensor by tensor through memory mapping."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from modules.weights.errors import BadHeader, EmptyFile, TruncatedFile, UnreadableFile, UnsupportedFamily, readable_size
from modules.weights.header import DTYPE_SIZES, MAX_HEADER, Header, HeaderError, TensorInfo, parse_header
from modules.weights.sniff import SAMPLE, refuse_other_formats

if TYPE_CHECKING:
    import torch

TORCH_DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "I16": "int16", "U16": "uint16", "F16": "float16", "BF16": "bfloat16", "I32": "int32", "U32": "uint32", "F32": "float32",
    "I64": "int64", "U64": "uint64", "F64": "float64", "C64": "complex64",
}  # fmt: skip


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
        file = _open_regular(path, kind)
        try:
            header, data_start = _read_header(path, file, kind)
        except OSError as error:
            file.close()
            raise UnreadableFile(path, f"cannot be read ({_reason(error)}); check the disk", kind=kind) from error
        except BaseException:
            file.close()
            raise
        return cls(path, file, header, data_start, kind)

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
        stored: torch.dtype | None = getattr(torch, TORCH_DTYPES[info.dtype], None)
        if stored is None:
            problem = f"holds {info.dtype} tensors, which this version of torch cannot read; update torch"
            raise UnsupportedFamily(self.path, problem, family=info.dtype, kind=self.kind)
        if info.start == info.end:
            return torch.empty(info.shape, dtype=dtype or stored, device=device)
        view = self._map(info, stored).view(info.shape)
        return view.to(device=device, dtype=dtype or stored, copy=True)

    def _map(self, info: TensorInfo, dtype: torch.dtype) -> torch.Tensor:
        """The tensor's bytes as a flat tensor over a private mapping, which lives as long as the tensor."""
        import torch

        start = self._data_start + info.start
        base = start - start % mmap.ALLOCATIONGRANULARITY
        self._check_length(self._data_start + info.end)
        try:
            pages = mmap.mmap(self._file.fileno(), self._data_start + info.end - base, access=mmap.ACCESS_COPY, offset=base)
        except (OSError, ValueError) as error:
            raise UnreadableFile(self.path, f"cannot be mapped into memory ({error}); try again", kind=self.kind) from error
        if start % DTYPE_SIZES[info.dtype]:
            raw = torch.frombuffer(pages, dtype=torch.uint8, offset=start - base)
            return raw.clone().view(dtype)
        return torch.frombuffer(pages, dtype=dtype, offset=start - base)

    def _check_length(self, needed: int) -> None:
        """Touching a mapping beyond the end of its file would kill the process."""
        size = os.fstat(self._file.fileno()).st_size
        if size < needed:
            problem = f"became shorter while it was read ({readable_size(size)}); wait until it is complete and load it again"
            raise TruncatedFile(self.path, problem, kind=self.kind)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> TensorFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _open_regular(path: Path, kind: str) -> BinaryIO:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFile(path, "is not a regular file; put the weight file itself there", kind=kind)
        return path.open("rb")
    except FileNotFoundError as error:
        raise UnreadableFile(path, "is not there any more; refresh the list", kind=kind) from error
    except (OSError, ValueError) as error:
        problem = f"cannot be opened ({_reason(error)}); check its permissions"
        raise UnreadableFile(path, problem, kind=kind) from error


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


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
