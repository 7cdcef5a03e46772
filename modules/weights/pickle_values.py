"""What our pickle reader makes of a file: plain values, names that are never looked up, and tensors that are never touched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_RANK = 32
MAX_ELEMENTS = 2**48
MAX_KEY = 2**32

ITEM_SIZES: Mapping[str, int] = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1,
    "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "C32": 4,
    "I64": 8, "U64": 8, "F64": 8, "C64": 8, "C128": 16,
}  # fmt: skip
"""Bytes of one element, by safetensors' dtype name where it has one."""


class PickleError(ValueError):
    """Why a pickle is refused, as a clause that follows the file's name."""


class Broken(PickleError):
    """It is not what a pickler writes."""


class Cut(Broken):
    """It ends too early."""


class Unsafe(PickleError):
    """It asks for something that weights do not need."""


class Unsupported(PickleError):
    """Honest tensors of a kind that is not built in; `family` names it."""

    def __init__(self, clause: str, family: str) -> None:
        self.family = family
        super().__init__(clause)


@dataclass(frozen=True)
class Symbol:
    """A name out of a pickle, such as `torch.FloatStorage`: two texts, never imported and never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Storage:
    """A block of bytes that tensors are views of: `size` bytes from byte `start` of the file's block `key`, or `data` itself.

    `dtype` is None for untyped ones.
    """

    key: str
    dtype: str | None
    size: int
    start: int = 0
    data: bytes | None = None


@dataclass(frozen=True)
class StoredTensor:
    """A view of a storage; `offset` and `strides` count elements."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def span(self) -> int:
        """Elements from the first to the last one that the view touches; 0 for an empty tensor."""
        if not self.elements:
            return 0
        return 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))


@dataclass
class Parameters:
    """torch's ParameterDict or ParameterList: its tensors by name, once its state has come."""

    tensors: Any = None


def view(storage: Any, dtype: str | None, offset: Any, shape: Any, strides: Any) -> StoredTensor:
    """A tensor over a storage, checked to lie inside it; raises Broken or Unsafe."""
    if not isinstance(storage, Storage):
        raise Broken("builds a tensor from something else than a storage")
    kind = dtype or storage.dtype
    if kind is None:
        raise Broken("builds a tensor of no dtype")
    if not is_count(offset) or not _counts(shape) or not _counts(strides) or len(shape) != len(strides):
        raise Broken("builds a tensor whose offset, shape or strides are not some whole numbers")
    if math.prod(max(size, 1) for size in shape) > MAX_ELEMENTS:
        raise Broken("builds a tensor of an impossible shape")
    tensor = StoredTensor(storage, kind, offset, shape, strides)
    length = storage.size // ITEM_SIZES[kind]
    if offset + tensor.span > length:
        raise Broken("builds a tensor that reaches beyond its storage")
    if tensor.elements > length:
        raise Unsafe("builds a tensor that is larger than its storage")
    return tensor


def contiguous(storage: Storage, dtype: str, shape: tuple[int, ...], *, fortran: bool = False) -> StoredTensor:
    """A tensor that fills its storage, rows first (columns first if `fortran`)."""
    strides, step = [], 1
    for size in shape if fortran else shape[::-1]:
        strides.append(step)
        step *= max(size, 1)
    return view(storage, dtype, 0, shape, tuple(strides if fortran else strides[::-1]))


def key(value: Any) -> Any:
    """A value fit to be looked up; nested tuples and crafted numbers could make hashing deep or slow, so there are none."""
    if type(value) is int and -MAX_KEY < value < MAX_KEY:
        return value
    if value is None or type(value) in (str, bytes, bool, Symbol):
        return value
    raise Unsafe(f"uses a {'huge number' if type(value) is int else type(value).__name__} as a key")


def is_count(value: Any) -> bool:
    """A whole number from 0 on that fits 63 bits; True is none."""
    return type(value) is int and 0 <= value < 2**63


def _counts(value: Any) -> bool:
    return type(value) is tuple and len(value) <= MAX_RANK and all(is_count(item) for item in value)


def quoted(text: object) -> str:
    """Something from the file, short and printable enough for a message."""
    shown = str(text)
    return ascii(shown if len(shown) <= 80 else shown[:77] + "...")
