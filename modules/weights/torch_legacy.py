"""torch's format before the zip container: a row of pickles, then each storage's length and bytes."""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

from modules.weights.pickle_opcodes import Source
from modules.weights.pickle_reader import read_pickle
from modules.weights.pickle_rebuild import PARAMETER_CLASSES, storage_dtype
from modules.weights.pickle_values import ITEM_SIZES, Broken, Cut, Storage, Symbol, Unsafe, is_count, quoted

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAX_KEY = 100


class Loaded(NamedTuple):
    """A read file: its value, and where the bytes of each storage begin."""

    value: Any
    starts: dict[str, int]


class Storages:
    """Persistent ids -> storages, each described the same way wherever it is named."""

    def __init__(self, sizes: dict[str, int] | None = None) -> None:
        self._sizes = sizes
        self.named: dict[str, Storage] = {}

    def __call__(self, ident: Any) -> Storage | Symbol:
        """The storage of `("storage", class, key, location, elements[, view])`; raises Broken or Unsafe.

        The old format also names classes of modules this way, with their source text, which is not looked at.
        """
        if type(ident) is tuple and len(ident) == 4 and ident[0] == "module" and ident[1] in PARAMETER_CLASSES:
            return ident[1]
        if type(ident) is not tuple or len(ident) not in (5, 6) or ident[0] != "storage":
            raise Unsafe("asks for something else than a storage from outside its pickle")
        _, kind, key, _location, elements, *rest = ident
        dtype = storage_dtype(kind)
        if dtype is False:
            raise Unsafe(f"asks for a storage of class {quoted(kind) if isinstance(kind, Symbol) else 'unknown'}")
        if type(key) is not str or len(key) > MAX_KEY or not is_count(elements):
            raise Broken("names a storage in an impossible way")
        whole = Storage(key, dtype, elements * ITEM_SIZES[dtype or "U8"])
        self._check(whole)
        return _part(whole, rest[0]) if rest and rest[0] is not None else whole

    def _check(self, storage: Storage) -> None:
        if self._sizes is not None and self._sizes.get(storage.key) != storage.size:
            raise Broken(f"holds {self._sizes.get(storage.key, 0):,} bytes where its pickle says {storage.size:,}")
        if self.named.setdefault(storage.key, storage).size != storage.size:
            raise Broken("gives a storage two sizes")


def read_legacy(file: BinaryIO, size: int) -> Loaded | None:
    """A legacy file from its beginning on, None if it is another sort of pickle; raises Broken, Unsafe or Unsupported."""
    if read_pickle(Source(file)) != MAGIC:
        return None
    if read_pickle(Source(file)) != PROTOCOL:
        raise Broken("is of an unknown version of torch's old format")
    system = read_pickle(Source(file))
    if type(system) is not dict or system.get("little_endian") is not True:
        raise Broken("was written on a big-endian machine, or says nothing about it")
    storages = Storages()
    value = read_pickle(Source(file), storages)
    return Loaded(value, _starts(file, size, storages.named, read_pickle(Source(file))))


def _starts(file: BinaryIO, size: int, named: dict[str, Storage], order: Any) -> dict[str, int]:
    """Where each storage's bytes begin; the file must hold just those of the pickle, each with its true length."""
    if type(order) is not list or any(type(key) is not str for key in order) or len(set(order)) != len(order) or set(order) != named.keys():
        raise Broken("lists other storages than its pickle uses")
    starts, at = {}, file.tell()
    for key in order:
        file.seek(at)
        raw, storage = file.read(8), named[key]
        if len(raw) != 8:
            raise Cut("is truncated: it ends in the middle of its tensors")
        item = ITEM_SIZES[storage.dtype or "U8"]
        if int.from_bytes(raw, "little", signed=True) * item != storage.size:
            raise Broken("holds storages of other lengths than its pickle says")
        starts[key] = at + 8
        at += 8 + storage.size
    if at > size:
        raise Cut(f"is truncated: {at - size:,} bytes are missing")
    if at < size:
        raise Broken("goes on after its last tensor")
    return starts


def _part(whole: Storage, description: Any) -> Storage:
    """A storage that lies inside another one: `(key, first element, elements)`."""
    if type(description) is not tuple or len(description) != 3 or not all(is_count(part) for part in description[1:]):
        raise Broken("names a part of a storage in an impossible way")
    item = ITEM_SIZES[whole.dtype or "U8"]
    start, size = description[1] * item, description[2] * item
    if start + size > whole.size:
        raise Broken("names a part of a storage beyond its end")
    return Storage(whole.key, whole.dtype, size, start)
