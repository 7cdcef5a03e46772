"""Pickles and torch archives assembled byte by byte, so that they can be wrong in any one place."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

MARK, STOP, REDUCE, BUILD, EMPTY_TUPLE, EMPTY_DICT, EMPTY_LIST, PERSID = b"(", b".", b"R", b"b", b")", b"}", b"]", b"Q"
LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + b"\x80\x02M\xe9\x03."


def text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw if len(raw) < 256 else b"\x8b" + struct.pack("<i", len(raw)) + raw


def name(module: str, attribute: str) -> bytes:
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def tup(*parts: bytes) -> bytes:
    return MARK + b"".join(parts) + b"t"


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    return name(module, attribute) + tup(*arguments) + REDUCE


def pickled(body: bytes, protocol: int = 2) -> bytes:
    return b"\x80" + bytes([protocol]) + body + STOP


def mapping(**items: bytes) -> bytes:
    return EMPTY_DICT + MARK + b"".join(text(key) + value for key, value in items.items()) + b"u"


def storage(key: str = "0", elements: int = 4, kind: str = "FloatStorage", module: str = "torch", tag: str = "storage") -> bytes:
    return tup(text(tag), name(module, kind), text(key), text("cpu"), number(elements)) + PERSID


def tensor(
    shape: tuple[int, ...] = (4,),
    strides: tuple[int, ...] = (1,),
    offset: int = 0,
    source: bytes | None = None,
    function: str = "_rebuild_tensor_v2",
) -> bytes:
    parts = (number(offset), tup(*map(number, shape)), tup(*map(number, strides)), b"\x89", call("collections", "OrderedDict"))
    return call("torch._utils", function, storage() if source is None else source, *parts)


def state(value: bytes) -> bytes:
    """A pickle of one dictionary with one entry."""
    return pickled(mapping(a=value))


def members(pickle: bytes, blocks: Mapping[str, bytes] | None = None, **others: bytes) -> dict[str, bytes]:
    found = {"archive/data.pkl": pickle, "archive/byteorder": b"little", "archive/version": b"3\n"}
    found |= {f"archive/data/{key}": block for key, block in ({"0": bytes(16)} if blocks is None else blocks).items()}
    return found | {key: block for key, block in others.items()}


def archive(pickle: bytes, blocks: Mapping[str, bytes] | None = None) -> bytes:
    """A torch zip file with one storage of 16 zero bytes, "0", by default."""
    return zipped(members(pickle, blocks))


def zipped(content: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for member, data in content.items():
            file.writestr(zipfile.ZipInfo(member), data, method)
    return buffer.getvalue()


class Entry:
    """One member of a handmade archive; `local` and `central` change header fields on one side only."""

    def __init__(
        self, name: str, data: bytes, *, flags: int = 0, local: Mapping[str, int] = {}, central: Mapping[str, int] = {}, **more: bytes
    ):
        self.name, self.data = name.encode(), data
        base = {"flags": flags, "method": 0, "crc": zlib.crc32(data), "packed": len(data), "size": len(data)}
        self.local, self.central = {**base, **local}, {**base, **central}
        self.descriptor = more.get("descriptor", b"")
        self.local_name = more.get("local_name", self.name)


def handmade(
    entries: list[Entry], *, before: bytes = b"", gap: bytes = b"", after: bytes = b"", shift: int = 0, count: int | None = None
) -> bytes:
    """A zip file of these entries: bytes before, between members and table, and after; offsets in the table moved by `shift`."""
    body, table = before, b""
    for entry in entries:
        at, fields = len(body) + shift, entry.local
        body += struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, fields["flags"], fields["method"], 0, 0, fields["crc"], fields["packed"],
                            fields["size"], len(entry.local_name), 0)  # fmt: skip
        body += entry.local_name + entry.data + entry.descriptor
        fields = entry.central
        table += struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, fields["flags"], fields["method"], 0, 0, fields["crc"], fields["packed"],
                             fields["size"], len(entry.name), 0, 0, 0, 0, 0, fields.get("offset", at))  # fmt: skip
        table += entry.name
    total = len(entries) if count is None else count
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, total, total, len(table), len(body) + len(gap) + shift, 0)
    return body + gap + table + end + after


def legacy(value: bytes, keys: bytes, data: bytes, system: bytes | None = None) -> bytes:
    """A file of torch's old format: the pickles, then the storages' bytes as given."""
    about = mapping(protocol_version=number(1001), little_endian=b"\x88") if system is None else system
    return LEGACY_START + pickled(about) + value + pickled(keys) + data


def block(elements: int, data: bytes) -> bytes:
    return struct.pack("<q", elements) + data
