"""Parts of a file as tensors: mapped into memory, so that only what is touched is read."""

from __future__ import annotations

import mmap
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from modules.weights.errors import TruncatedFile, UnreadableFile, UnsupportedFamily, readable_size

if TYPE_CHECKING:
    import torch

TORCH_DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "I16": "int16", "U16": "uint16", "F16": "float16", "BF16": "bfloat16", "I32": "int32", "U32": "uint32", "F32": "float32",
    "I64": "int64", "U64": "uint64", "F64": "float64", "C32": "complex32", "C64": "complex64", "C128": "complex128",
}  # fmt: skip
"""safetensors' dtype name (and a few of ours for what only pickles hold) -> torch's."""


def open_regular(path: Path, kind: str) -> BinaryIO:
    """The file opened for reading; raises UnreadableFile if it is missing, no regular file, or not permitted."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFile(path, "is not a regular file; put the weight file itself there", kind=kind)
        return path.open("rb")
    except FileNotFoundError as error:
        raise UnreadableFile(path, "is not there any more; refresh the list", kind=kind) from error
    except (OSError, ValueError) as error:
        problem = f"cannot be opened ({reason(error)}); check its permissions"
        raise UnreadableFile(path, problem, kind=kind) from error


def torch_dtype(path: Path, name: str, kind: str) -> torch.dtype:
    """torch's dtype of a stored one; raises UnsupportedFamily where this torch lacks it."""
    import torch

    found: torch.dtype | None = getattr(torch, TORCH_DTYPES[name], None)
    if found is None:
        problem = f"holds {name} tensors, which this version of torch cannot read; update torch"
        raise UnsupportedFamily(path, problem, family=name, kind=kind)
    return found


def map_tensor(path: Path, file: BinaryIO, start: int, end: int, dtype: torch.dtype, kind: str) -> torch.Tensor:
    """The bytes [start, end) of an open file as a flat tensor over a private mapping, which lives as long as the tensor.

    Raises TruncatedFile when the file has become shorter (touching a mapping beyond its end would kill the process),
    UnreadableFile when it cannot be mapped.
    """
    import torch

    base = start - start % mmap.ALLOCATIONGRANULARITY
    _check_length(path, file, end, kind)
    try:
        pages = mmap.mmap(file.fileno(), end - base, access=mmap.ACCESS_COPY, offset=base)
    except (OSError, ValueError) as error:
        raise UnreadableFile(path, f"cannot be mapped into memory ({error}); try again", kind=kind) from error
    if start % dtype.itemsize:
        raw = torch.frombuffer(pages, dtype=torch.uint8, offset=start - base)
        return raw.clone().view(dtype)
    return torch.frombuffer(pages, dtype=dtype, offset=start - base)


def _check_length(path: Path, file: BinaryIO, needed: int, kind: str) -> None:
    size = os.fstat(file.fileno()).st_size
    if size < needed:
        problem = f"became shorter while it was read ({readable_size(size)}); wait until it is complete and load it again"
        raise TruncatedFile(path, problem, kind=kind)


def reason(error: Exception) -> str:
    """An operating system's error in a few lower-case words."""
    return (getattr(error, "strerror", None) or str(error)).lower()
