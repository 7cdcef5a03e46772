"""torch's zip container: the table of contents of a `.ckpt`, `.pt` or `.pth`, accepted only as torch writes it.

Everything stored plainly, one folder, each name once, one member after the other from byte 0 to the table at the end,
local headers that say the same as the table. Whatever two readers of zip files could disagree about is refused.
(https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 to 4.5.)
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import BinaryIO, NamedTuple

from modules.weights.pickle_opcodes import MAX_BYTES
from modules.weights.pickle_values import Broken, Cut, Unsafe, quoted

MAX_MEMBERS = 200_000
MAX_TABLE = 32 << 20
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF
DESCRIPTOR_FLAG, UTF8_FLAG = 0x0008, 0x0800

_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")

_MEMBER = re.compile(r"data\.pkl|byteorder|version|data/[0-9A-Za-z_]{1,40}|\.[0-9A-Za-z_]{1,40}(?:/[0-9A-Za-z_]{1,40})?")
_PROGRAM = re.compile(r"code/|constants\.pkl$|constants/|model\.json$|tensors/|attributes\.pkl$")


class Member(NamedTuple):
    """One file of the archive: `size` bytes from byte `start`, their CRC-32, and where its header begins."""

    name: str
    start: int
    size: int
    crc: int
    header: int
    flags: int


class Archive:
    """The members of a checked archive, by their name inside its one folder."""

    def __init__(self, file: BinaryIO, members: dict[str, Member]) -> None:
        self._file = file
        self.members = members

    def content(self, name: str, limit: int = MAX_BYTES) -> bytes | None:
        """A small member whole, its checksum verified; None if there is none of that name."""
        member = self.members.get(name)
        if member is None:
            return None
        if member.size > limit:
            raise Unsafe(f"holds a '{name}' of {member.size:,} bytes")
        self._file.seek(member.start)
        data = self._file.read(member.size)
        if len(data) != member.size or zlib.crc32(data) != member.crc:
            raise Broken(f"holds a '{name}' that does not fit its checksum")
        return data


def read_archive(file: BinaryIO, size: int) -> Archive:
    """The archive's table of contents, checked as a whole; raises Broken or Unsafe."""
    table_start, table_size, count = _end(file, size)
    if count > MAX_MEMBERS or table_size > MAX_TABLE:
        raise Unsafe(f"lists {count:,} members")
    if count == 0:
        raise Broken("is an empty archive")
    file.seek(table_start)
    members = _table(file.read(table_size), count)
    placed = [_place(file, member, table_start) for member in members]
    _check_layout(file, placed, table_start)
    return Archive(file, _by_name(placed))


def _end(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Start and size of the table, number of members; from the record at the very end of the file."""
    if size < _END.size:
        raise Cut("is truncated: it ends in the middle of its archive")
    file.seek(size - _END.size)
    magic, disk, table_disk, here, count, table_size, table_start, comment = _END.unpack(file.read(_END.size))
    if magic != b"PK\x05\x06" or comment:
        raise Cut("is truncated, or no archive of torch's: its table of contents is not at its end")
    if disk or table_disk or here != count:
        raise Broken("is a part of an archive")
    end = size - _END.size
    if end >= _LOCATOR.size:
        file.seek(end - _LOCATOR.size)
        locator = file.read(_LOCATOR.size)
        if locator[:4] == b"PK\x06\x07":
            return _end64(file, locator, end - _LOCATOR.size, (count, table_size, table_start))
    if table_start + table_size != end:
        raise Broken("has a table of contents that does not end where it should")
    return table_start, table_size, count


def _end64(file: BinaryIO, locator: bytes, end: int, short: tuple[int, int, int]) -> tuple[int, int, int]:
    """The same from the 64-bit record, which must not contradict the short one."""
    _, disk, position, disks = _LOCATOR.unpack(locator)
    if disk or disks > 1 or position + _END64.size != end:
        raise Broken("has a table of contents that does not end where it should")
    file.seek(position)
    magic, length, _, _, disk, table_disk, here, count, table_size, table_start = _END64.unpack(file.read(_END64.size))
    if magic != b"PK\x06\x06" or length != _END64.size - 12 or disk or table_disk or here != count:
        raise Broken("has a damaged table of contents")
    for long, brief, full in zip((count, table_size, table_start), short, (FULL16, FULL32, FULL32), strict=True):
        if brief not in (long, full):
            raise Broken("has two tables of contents")
    if table_start + table_size != position:
        raise Broken("has a table of contents that does not end where it should")
    return table_start, table_size, count


def _table(raw: bytes, count: int) -> list[Member]:
    members, at = [], 0
    for _ in range(count):
        if at + _CENTRAL.size > len(raw):
            raise Broken("has a table of contents that is too short")
        fields = _CENTRAL.unpack_from(raw, at)
        name_end = at + _CENTRAL.size + fields[10]
        end = name_end + fields[11] + fields[12]
        if fields[0] != b"PK\x01\x02" or end > len(raw):
            raise Broken("has a damaged table of contents")
        members.append(_entry(fields, raw[at + _CENTRAL.size : name_end], raw[name_end : name_end + fields[11]]))
        at = end
    if at != len(raw):
        raise Broken("has a table of contents that is too long")
    return members


def _entry(fields: tuple[int, ...], raw_name: bytes, extra: bytes) -> Member:
    _, _, _, flags, method, _, _, crc, packed, size, _, _, comment, disk, _, _, header = fields
    name = _name(raw_name)
    if flags & ~(DESCRIPTOR_FLAG | UTF8_FLAG):
        raise Unsafe(f"holds {quoted(name)} encrypted or in another unusual form")
    if method != 0:
        raise Unsafe(f"holds {quoted(name)} compressed; torch stores plainly")
    if comment or disk not in (0, FULL16):
        raise Broken(f"holds {quoted(name)} in an unusual form")
    size, packed, header = _wide(extra, [size, packed, header])
    if size != packed:
        raise Broken(f"gives {quoted(name)} two sizes")
    return Member(name, 0, size, crc, header, flags)


def _wide(extra: bytes, values: list[int]) -> list[int]:
    """The values with those that are FULL32 taken from the 64-bit extra field."""
    wide, at = b"", 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            if wide:
                raise Broken("gives a member two sizes")
            wide = extra[at + 4 : at + 4 + length]
        at += 4 + length
    found = []
    for value in values:
        if value == FULL32:
            if len(wide) < 8:
                raise Broken("has a damaged table of contents")
            value, wide = int.from_bytes(wide[:8], "little"), wide[8:]
        found.append(value)
    return found


def _name(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Broken("holds a member whose name is not UTF-8") from error


def _place(file: BinaryIO, member: Member, end: int) -> Member:
    """The member with the start of its bytes, which its own header tells; the header must agree with the table."""
    file.seek(min(member.header, end))
    raw = file.read(_LOCAL.size)
    if member.header + _LOCAL.size > end or len(raw) != _LOCAL.size:
        raise Broken("has a table of contents that points beyond its end")
    magic, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(raw)
    name, extra = file.read(name_length), file.read(extra_length)
    if magic != b"PK\x03\x04" or flags != member.flags or method != 0 or name != member.name.encode():
        raise Broken(f"describes {quoted(member.name)} differently in two places")
    size, packed = _wide(extra, [size, packed])
    later = bool(flags & DESCRIPTOR_FLAG)
    if (crc, size, packed) not in ((member.crc, member.size, member.size), *([(0, 0, 0)] if later else ())):
        raise Broken(f"describes {quoted(member.name)} differently in two places")
    return member._replace(start=member.header + _LOCAL.size + name_length + extra_length)


def _check_layout(file: BinaryIO, members: list[Member], end: int) -> None:
    """Members follow one another from byte 0 to the table, with nothing but their descriptors between them."""
    position = 0
    ordered = sorted(members, key=lambda member: member.header)
    for member, following in zip(ordered, [*(m.header for m in ordered[1:]), end], strict=True):
        if member.header != position:
            raise Broken("holds members that overlap, or bytes that belong to none")
        data_end = member.start + member.size
        if data_end > following:
            raise Broken("holds members that overlap, or that reach beyond its end")
        _check_descriptor(file, member, data_end, following - data_end)
        position = following
    if position != end:
        raise Broken("holds bytes that belong to no member")


def _check_descriptor(file: BinaryIO, member: Member, at: int, length: int) -> None:
    """The record after a member's bytes, of the form that its flags announce, repeating checksum and size."""
    if length == 0 and not member.flags & DESCRIPTOR_FLAG:
        return
    if length not in (16, 24) or not member.flags & DESCRIPTOR_FLAG:
        raise Broken("holds members that overlap, or bytes that belong to none")
    file.seek(at)
    layout = "<4sI2I" if length == 16 else "<4sI2Q"
    if struct.unpack(layout, file.read(length)) != (b"PK\x07\x08", member.crc, member.size, member.size):
        raise Broken(f"describes {quoted(member.name)} differently in two places")


def _by_name(members: list[Member]) -> dict[str, Member]:
    found: dict[str, Member] = {}
    roots = {member.name.partition("/")[0] for member in members}
    for member in members:
        name = member.name.partition("/")[2]
        if _PROGRAM.match(name):
            raise Unsafe("is a TorchScript program, not weights")
        if len(roots) != 1 or not _MEMBER.fullmatch(name):
            raise Unsafe(f"holds {quoted(member.name)}, which weights do not need")
        if name in found:
            raise Unsafe(f"holds {quoted(member.name)} twice")
        found[name] = member
    if "data.pkl" not in found:
        raise Broken("is an archive without weights")
    return found
