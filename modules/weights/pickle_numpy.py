"""numpy's arrays and scalars as they lie in pickles: numbers only, no objects, no records."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from typing import Any

from modules.weights.pickle_values import ITEM_SIZES, Broken, Storage, StoredTensor, Unsafe, contiguous, is_count

CODES: Mapping[str, str] = {
    "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8",
    "u8": "U64", "u4": "U32", "u2": "U16", "u1": "U8", "b1": "BOOL", "c8": "C64", "c16": "C128",
}  # fmt: skip
_LAYOUTS = {"F64": "<d", "F32": "<f", "F16": "<e", "I64": "<q", "I32": "<i", "I16": "<h", "I8": "<b", "U64": "<Q", "U32": "<I", "U16": "<H",
            "U8": "<B", "BOOL": "<?"}  # fmt: skip


class NumpyDtype:
    """`numpy.dtype(code, align, copy)`; raises Unsafe for anything but plain numbers."""

    def __init__(self, code: Any, _align: Any = False, _copy: Any = True) -> None:
        found = re.fullmatch(r"([<>|=]?)([a-z]\d{1,2})", code) if type(code) is str else None
        if found is None or found[2] not in CODES:
            raise Unsafe("holds a numpy array of something else than numbers")
        self.name = CODES[found[2]]
        self._check_order(found[1])

    def give_state(self, state: Any) -> None:
        if type(state) is not tuple or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise Unsafe("holds a numpy array of something else than numbers")
        self._check_order(state[1])

    def _check_order(self, order: Any) -> None:
        if order == ">":
            raise Broken("holds big-endian numbers")
        if order not in ("", "<", "|", "="):
            raise Broken("holds a numpy array of an unknown byte order")


class NumpyArray:
    """A numpy array, empty until its state comes."""

    def __init__(self) -> None:
        self._made: StoredTensor | None = None

    def give_state(self, state: Any) -> None:
        """`(version, shape, dtype, fortran, bytes)`; raises Broken or Unsafe."""
        if type(state) is not tuple or len(state) != 5:
            raise Broken("holds a numpy array of an unknown form")
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, NumpyDtype) or type(data) is not bytes:
            raise Unsafe("holds a numpy array of something else than numbers")
        if type(shape) is not tuple or len(shape) > 32 or not all(is_count(size) for size in shape):
            raise Broken("holds a numpy array of an impossible shape")
        if math.prod(shape) * ITEM_SIZES[dtype.name] != len(data):
            raise Broken("holds a numpy array whose bytes do not fit its shape")
        self._made = contiguous(Storage("", dtype.name, len(data), data=data), dtype.name, shape, fortran=bool(fortran))

    def tensor(self) -> StoredTensor:
        if self._made is None:
            raise Broken("holds a numpy array without content")
        return self._made


def from_buffer(data: Any, dtype: Any, shape: Any, order: Any, *_axes: Any) -> NumpyArray:
    """numpy's way of protocol 5."""
    if order not in ("C", "F"):
        raise Broken("holds a numpy array of an unknown order")
    array = NumpyArray()
    array.give_state((1, shape, dtype, order == "F", data))
    return array


def number(dtype: Any, raw: Any) -> float | int | bool:
    """`numpy.core.multiarray.scalar(dtype, bytes)` as a Python number."""
    if not isinstance(dtype, NumpyDtype) or type(raw) is not bytes or dtype.name not in _LAYOUTS:
        raise Unsafe("holds a numpy value that is no number")
    if len(raw) != ITEM_SIZES[dtype.name]:
        raise Broken("holds a numpy number of the wrong length")
    value: float | int | bool = struct.unpack(_LAYOUTS[dtype.name], raw)[0]
    return value
