"""The instructions that picklers write from protocol 2 on, and how their arguments lie in the file.

Instructions that no pickler of weights writes (the text ones of protocol 0, `INST`, `OBJ`, the extension registry,
out-of-band buffers, …) are known by name only, so that refusing them says what they are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple

from modules.weights.pickle_values import Broken, Cut, Unsafe

MAX_BYTES = 64 << 20
MAX_LINE = 256
MAX_INTEGER_BYTES = 64
BLOCK = 1 << 16


class Source:
    """A pickle's bytes, read forward only and never beyond a limit."""

    def __init__(self, file: BinaryIO, limit: int = MAX_BYTES) -> None:
        self._file = file
        self._left = limit

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes; raises Broken at the end of the file or of the limit."""
        if size > self._left:
            raise Broken("holds an endless pickle")
        data = self._file.read(size)
        if len(data) != size:
            raise Cut("is truncated: it ends in the middle of its pickle")
        self._left -= size
        return data

    def line(self) -> str:
        """A short line of ASCII text without its end."""
        raw = self._file.readline(MAX_LINE)
        self._left -= len(raw)
        if not raw.endswith(b"\n") or self._left < 0:
            raise Broken("holds a name without end")
        try:
            return raw[:-1].decode("ascii")
        except UnicodeDecodeError as error:
            raise Unsafe("holds a name that is not ASCII") from error


class Op(NamedTuple):
    """An instruction: its name, and how to read its argument (None: it has none)."""

    name: str
    argument: Callable[[Source], Any] | None = None


def _number(layout: str) -> Callable[[Source], Any]:
    pack = struct.Struct(layout)
    return lambda source: pack.unpack(source.take(pack.size))[0]


def _sized(layout: str, convert: Callable[[bytes], Any]) -> Callable[[Source], Any]:
    size = _number(layout)

    def read(source: Source) -> Any:
        length = size(source)
        if length < 0:
            raise Broken("holds a text of negative length")
        return convert(source.take(length))

    return read


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Broken("holds a text that is not UTF-8") from error


def _old_text(raw: bytes) -> str | bytes:
    """Python 2's str: text if it can be, else bytes."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw


def _integer(raw: bytes) -> int:
    if len(raw) > MAX_INTEGER_BYTES:
        raise Unsafe(f"holds a number of {len(raw):,} bytes")
    return int.from_bytes(raw, "little", signed=True)


def _name(source: Source) -> tuple[str, str]:
    return source.line(), source.line()


OPCODES: Mapping[int, Op] = {
    0x80: Op("PROTO", _number("<B")),
    0x95: Op("FRAME", _number("<Q")),
    ord("."): Op("STOP"),
    ord("("): Op("MARK"),
    ord("0"): Op("POP"),
    ord("1"): Op("POP_MARK"),
    ord("N"): Op("NONE"),
    0x88: Op("NEWTRUE"),
    0x89: Op("NEWFALSE"),
    ord("J"): Op("PUSH", _number("<i")),
    ord("K"): Op("PUSH", _number("<B")),
    ord("M"): Op("PUSH", _number("<H")),
    0x8A: Op("PUSH", _sized("<B", _integer)),
    0x8B: Op("PUSH", _sized("<i", _integer)),
    ord("G"): Op("PUSH", _number(">d")),
    ord("X"): Op("PUSH", _sized("<I", _text)),
    0x8C: Op("PUSH", _sized("<B", _text)),
    0x8D: Op("PUSH", _sized("<Q", _text)),
    ord("T"): Op("PUSH", _sized("<i", _old_text)),
    ord("U"): Op("PUSH", _sized("<B", _old_text)),
    ord("B"): Op("PUSH", _sized("<I", bytes)),
    ord("C"): Op("PUSH", _sized("<B", bytes)),
    0x8E: Op("PUSH", _sized("<Q", bytes)),
    0x96: Op("PUSH", _sized("<Q", bytes)),
    ord("]"): Op("EMPTY_LIST"),
    ord("a"): Op("APPEND"),
    ord("e"): Op("APPENDS"),
    ord(")"): Op("EMPTY_TUPLE"),
    ord("t"): Op("TUPLE"),
    0x85: Op("TUPLE1"),
    0x86: Op("TUPLE2"),
    0x87: Op("TUPLE3"),
    ord("}"): Op("EMPTY_DICT"),
    ord("s"): Op("SETITEM"),
    ord("u"): Op("SETITEMS"),
    0x8F: Op("EMPTY_SET"),
    0x90: Op("ADDITEMS"),
    ord("q"): Op("PUT", _number("<B")),
    ord("r"): Op("PUT", _number("<I")),
    0x94: Op("MEMOIZE"),
    ord("h"): Op("GET", _number("<B")),
    ord("j"): Op("GET", _number("<I")),
    ord("c"): Op("GLOBAL", _name),
    0x93: Op("STACK_GLOBAL"),
    ord("R"): Op("REDUCE"),
    0x81: Op("NEWOBJ"),
    ord("b"): Op("BUILD"),
    ord("Q"): Op("BINPERSID"),
}

REFUSED: Mapping[int, str] = {
    ord("i"): "INST",
    ord("o"): "OBJ",
    0x92: "NEWOBJ_EX",
    0x82: "EXT1",
    0x83: "EXT2",
    0x84: "EXT4",
    ord("P"): "PERSID",
    0x97: "NEXT_BUFFER",
    0x98: "READONLY_BUFFER",
    0x91: "FROZENSET",
    ord("2"): "DUP",
    ord("I"): "INT",
    ord("L"): "LONG",
    ord("F"): "FLOAT",
    ord("S"): "STRING",
    ord("V"): "UNICODE",
    ord("p"): "PUT",
    ord("g"): "GET",
    ord("d"): "DICT",
    ord("l"): "LIST",
}
