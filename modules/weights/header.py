"""The header of a safetensors file: parsed strictly, its whole layout validated before a byte of data is served.

Format: 8 bytes little-endian header length, a JSON object of that length, then the tensors' bytes without gaps
(https://github.com/huggingface/safetensors, "Format"). The parser accepts exactly this grammar and nothing wider, so a
hostile header fails at its first odd byte and costs no more memory than an honest one of the same size.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

MAX_HEADER = 100_000_000
MAX_TENSORS = 200_000
MAX_METADATA = 100_000
MAX_ENTRY = 4096
MAX_RANK = 32
MAX_ELEMENTS = 2**48

DTYPE_SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
    "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4,
    "I64": 8, "U64": 8, "F64": 8, "C64": 8,
}  # fmt: skip

FIELDS = {"dtype", "shape", "data_offsets"}
_SPACE = re.compile(r"[ \t\r\n]*")
_STRINGS = json.JSONDecoder()


class TensorInfo(NamedTuple):
    """One tensor's entry: safetensors dtype name, shape, and its bytes as [start, end) within the data part."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class Header(NamedTuple):
    """A parsed header: the entries in file order and the free-form metadata."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]

    @property
    def data_size(self) -> int:
        """Bytes of tensor data that the header promises."""
        return max((info.end for info in self.tensors.values()), default=0)


class HeaderError(ValueError):
    """Why a header is refused, as a clause that follows the file's name."""


def parse_header(raw: bytes) -> Header:
    """Header of a file from its JSON bytes (without the length).

    Raises HeaderError when it is not exactly a safetensors header, when a tensor's bytes do not fit its shape and dtype, or
    when the tensors overlap or leave holes. Whether the data really is there is the caller's to check (`data_size`).
    """
    if raw[:1] != b"{":
        raise HeaderError("does not start with a JSON object")
    try:
        header = _Parser(raw.decode("utf-8")).header()
    except UnicodeDecodeError as error:
        raise HeaderError("is not UTF-8") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise HeaderError("is not valid JSON") from error
    _check_layout(header.tensors)
    return header


class _Parser:
    """Reads `{"__metadata__": {str: str}, name: {"dtype", "shape", "data_offsets"}, …}` from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def header(self) -> Header:
        tensors: dict[str, TensorInfo] = {}
        metadata: dict[str, str] | None = None
        for key in self._keys():
            if key in tensors or (key == "__metadata__" and metadata is not None):
                raise HeaderError(f"names {_quoted(key)} twice")
            if key == "__metadata__":
                metadata = self._metadata()
            elif len(tensors) >= MAX_TENSORS:
                raise HeaderError(f"lists more than {MAX_TENSORS:,} tensors")
            else:
                tensors[key] = self._entry(key)
        if self.text[self.at :].strip(" \t\r\n"):
            raise HeaderError("goes on after its JSON object")
        return Header(tensors, metadata or {})

    def _keys(self) -> Iterator[str]:
        """Yield each key of the object at the cursor, which then stands at the value; the consumer moves past it."""
        self._expect("{")
        if self._peek() == "}":
            self.at += 1
            return
        while True:
            key = self._string()
            self._expect(":")
            yield key
            if self._peek() != ",":
                break
            self.at += 1
        self._expect("}")

    def _metadata(self) -> dict[str, str]:
        if self._peek() != "{":
            raise HeaderError("has metadata that is not an object")
        found: dict[str, str] = {}
        for key in self._keys():
            if key in found:
                raise HeaderError(f"names metadata {_quoted(key)} twice")
            if len(found) >= MAX_METADATA:
                raise HeaderError(f"lists more than {MAX_METADATA:,} metadata entries")
            found[key] = self._string()
        return found

    def _entry(self, key: str) -> TensorInfo:
        if self._peek() != "{":
            raise HeaderError(f"has no object for tensor {_quoted(key)}")
        end = self.text.find("}", self.at, self.at + MAX_ENTRY) + 1
        if not end:
            raise HeaderError(f"has an endless entry for tensor {_quoted(key)}")
        try:
            pairs = json.loads(self.text[self.at : end], object_pairs_hook=list)
        except ValueError as error:
            raise HeaderError(f"has a malformed entry for tensor {_quoted(key)}") from error
        self.at = end
        return _tensor_info(key, pairs)

    def _string(self) -> str:
        if self._peek() != '"':
            raise HeaderError("is not valid JSON: a string was expected")
        value, self.at = _STRINGS.raw_decode(self.text, self.at)
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise HeaderError("holds a string that is not Unicode text") from error
        return value

    def _peek(self) -> str:
        space = _SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at
        return self.text[self.at : self.at + 1]

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise HeaderError(f"is not valid JSON: '{character}' was expected")
        self.at += 1


def _tensor_info(key: str, pairs: Any) -> TensorInfo:
    entry = dict(pairs)
    if len(pairs) != len(FIELDS) or set(entry) != FIELDS:
        raise HeaderError(f"needs exactly dtype, shape and data_offsets for tensor {_quoted(key)}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_SIZES:
        raise HeaderError(f"gives tensor {_quoted(key)} the unknown dtype {_quoted(str(dtype))}")
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        raise HeaderError(f"gives tensor {_quoted(key)} a shape or offsets that are not whole numbers")
    info = TensorInfo(dtype, tuple(shape), *offsets)
    _check_size(key, info)
    return info


def _counts(value: Any) -> bool:
    """Whether a JSON value is a list of non-negative integers (true, 1.0 and -1 are none)."""
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _check_size(key: str, info: TensorInfo) -> None:
    elements, bound = 1, 1
    if len(info.shape) > MAX_RANK:
        raise HeaderError(f"gives tensor {_quoted(key)} {len(info.shape)} dimensions")
    for size in info.shape:
        elements, bound = elements * size, bound * max(size, 1)
        if bound > MAX_ELEMENTS:
            raise HeaderError(f"gives tensor {_quoted(key)} an impossibly large shape")
    if info.end - info.start != elements * DTYPE_SIZES[info.dtype]:
        raise HeaderError(f"gives tensor {_quoted(key)} a number of bytes that does not fit its shape and dtype")


def _check_layout(tensors: dict[str, TensorInfo]) -> None:
    """Tensors must follow one another from byte 0 on, without overlap and without holes."""
    position = 0
    for key, info in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if info.start != position:
            what = "overlaps another" if info.start < position else "leaves a hole before it"
            raise HeaderError(f"is inconsistent: tensor {_quoted(key)} {what}")
        position = info.end


def _quoted(name: str) -> str:
    """A name from the file, short and printable enough for a message."""
    return ascii(name if len(name) <= 80 else name[:77] + "...")
