"""What the hostile pickles are made of, and their harmless twins."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from attacks.pickle_bytes import (
    BUILD,
    EMPTY_DICT,
    EMPTY_LIST,
    PERSID,
    Entry,
    archive,
    block,
    call,
    legacy,
    mapping,
    name,
    number,
    pickled,
    state,
    storage,
    tensor,
    text,
    tup,
)

from modules.weights.errors import WeightsError


class Attack(NamedTuple):
    name: str
    content: bytes
    error: type[WeightsError]


def hidden(body: bytes, protocol: int = 2) -> bytes:
    """An archive whose pickle has a value that is not only weights."""
    return archive(pickled(mapping(a=tensor(), b=body), protocol))


def short(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def later(data: bytes, size: int | None = None, magic: bytes = b"PK\x07\x08") -> bytes:
    """A data descriptor."""
    length = len(data) if size is None else size
    return struct.pack("<4sI2I", magic, zlib.crc32(data), length, length)


GOOD = state(tensor())
VALID = archive(GOOD)
LEGACY_KEYS = EMPTY_LIST + text("0") + b"a"
LEGACY_VALUE = pickled(
    mapping(
        a=call(
            "torch._utils",
            "_rebuild_tensor_v2",
            tup(text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), number(4), b"N") + PERSID,
            number(0),
            number(4) + b"\x85",
            number(1) + b"\x85",
            b"\x89",
            call("collections", "OrderedDict"),
        )
    )
)
VALID_LEGACY = legacy(LEGACY_VALUE, LEGACY_KEYS, block(4, bytes(16)))
OBJECT_STATE = mapping(x=number(1))
DTYPE = (
    call("numpy", "dtype", text("f4"), b"\x89", b"\x88") + tup(number(3), text("<"), b"NNN", b"J\xff\xff\xff\xff" * 2, number(0)) + BUILD
)
ARRAY = call("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), number(0) + b"\x85", b"C\x01b")
PAIRS = [Entry("archive/data.pkl", GOOD), Entry("archive/data/0", bytes(16))]


def typed_tensor(dtype: bytes) -> bytes:
    """A tensor of four elements whose dtype is said beside its storage."""
    parts = (number(0), number(4) + b"\x85", number(1) + b"\x85", b"\x89", EMPTY_DICT, dtype)
    return call("torch._utils", "_rebuild_tensor_v3", storage(), *parts)
