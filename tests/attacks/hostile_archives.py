"""Archives and old torch files that are wrong around their pickle: each with the error that it must meet."""

from __future__ import annotations

import pickle
import struct
import zipfile

from attacks.hostile_parts import GOOD, LEGACY_KEYS, LEGACY_VALUE, PAIRS, VALID, VALID_LEGACY, Attack, later
from attacks.hostile_safetensors import VALID as SAFETENSORS
from attacks.hostile_safetensors import Payload
from attacks.pickle_bytes import (
    EMPTY_DICT,
    EMPTY_LIST,
    LEGACY_START,
    PERSID,
    Entry,
    block,
    call,
    handmade,
    legacy,
    mapping,
    members,
    name,
    number,
    pickled,
    text,
    tup,
    zipped,
)

from modules.weights.errors import BadPickle, NotWeights, TruncatedFile, UnsafePickle, WeightsError

ZIPS = [
    Attack("cut by one byte", VALID[:-1], TruncatedFile),
    Attack("cut in half", VALID[: len(VALID) // 2], TruncatedFile),
    Attack("its first bytes alone", VALID[:30], TruncatedFile),
    Attack("its magic alone", b"PK\x03\x04", TruncatedFile),
    Attack("an empty archive", zipped({}), BadPickle),
    Attack("a byte appended", VALID + b"x", TruncatedFile),
    Attack("a pickle appended", VALID + pickle.dumps(Payload()), TruncatedFile),
    Attack("two archives", VALID + VALID, BadPickle),
    Attack("bytes before the first member", handmade(PAIRS, before=b"PK\x03\x04" + bytes(60)), BadPickle),
    Attack(
        "bytes before the first member, offsets moved",
        handmade([Entry("archive/data.pkl", GOOD)], before=b"PK\x01\x02junk", shift=-8),
        BadPickle,
    ),
    Attack("bytes before the table", handmade(PAIRS, gap=pickle.dumps(Payload())), BadPickle),
    Attack("a comment", VALID[:-2] + b"\x04\0note", TruncatedFile),
    Attack("a comment with an archive", VALID[:-2] + struct.pack("<H", len(VALID)) + VALID, BadPickle),
    Attack("compressed", zipped(members(GOOD), zipfile.ZIP_DEFLATED), UnsafePickle),
    Attack("a zip bomb", zipped(members(GOOD, {"0": bytes(10**7)}), zipfile.ZIP_DEFLATED), UnsafePickle),
    Attack("compressed with LZMA", zipped(members(GOOD), zipfile.ZIP_LZMA), UnsafePickle),
    Attack("encrypted", handmade([Entry("archive/data.pkl", GOOD, flags=1), PAIRS[1]]), UnsafePickle),
    Attack("encrypted in the table only", handmade([Entry("archive/data.pkl", GOOD, central={"flags": 1}), PAIRS[1]]), UnsafePickle),
    Attack("encrypted in the header only", handmade([Entry("archive/data.pkl", GOOD, local={"flags": 1}), PAIRS[1]]), BadPickle),
    Attack("patch data", handmade([Entry("archive/data.pkl", GOOD, flags=0x20), PAIRS[1]]), UnsafePickle),
    Attack("compressed in the header only", handmade([Entry("archive/data.pkl", GOOD, local={"method": 8}), PAIRS[1]]), BadPickle),
    Attack("wrong checksum", handmade([Entry("archive/data.pkl", GOOD, local={"crc": 1}, central={"crc": 1}), PAIRS[1]]), BadPickle),
    Attack("two checksums", handmade([Entry("archive/data.pkl", GOOD, local={"crc": 1}), PAIRS[1]]), BadPickle),
    Attack("two sizes", handmade([Entry("archive/data.pkl", GOOD, local={"size": 1, "packed": 1}), PAIRS[1]]), BadPickle),
    Attack(
        "a smaller size in the table", handmade([Entry("archive/data.pkl", GOOD, central={"size": 9, "packed": 9}), PAIRS[1]]), BadPickle
    ),
    Attack(
        "a larger size in the table", handmade([Entry("archive/data.pkl", GOOD, central={"size": 999, "packed": 999}), PAIRS[1]]), BadPickle
    ),
    Attack(
        "a size beyond the file",
        handmade(
            [PAIRS[0], Entry("archive/data/0", bytes(16), local={"size": 2**31, "packed": 2**31}, central={"size": 2**31, "packed": 2**31})]
        ),
        BadPickle,
    ),
    Attack(
        "a 64-bit size that is missing",
        handmade([Entry("archive/data.pkl", GOOD, central={"size": 2**32 - 1, "packed": 2**32 - 1}), PAIRS[1]]),
        BadPickle,
    ),
    Attack("another name in the header", handmade([Entry("archive/data.pkl", GOOD, local_name=b"archive/evil.pkl"), PAIRS[1]]), BadPickle),
    Attack("overlapping members", handmade([*PAIRS, Entry("archive/data/1", bytes(16), central={"offset": 0})]), BadPickle),
    Attack(
        "a member that points beyond the end",
        handmade([PAIRS[0], Entry("archive/data/0", bytes(16), central={"offset": 2**31})]),
        BadPickle,
    ),
    Attack("the same name twice", handmade([*PAIRS, Entry("archive/data.pkl", pickle.dumps(Payload()))]), UnsafePickle),
    Attack("two folders", handmade([*PAIRS, Entry("other/data.pkl", pickle.dumps(Payload()))]), UnsafePickle),
    Attack("no folder", handmade([Entry("data.pkl", GOOD)]), UnsafePickle),
    Attack("a path that leads out", handmade([*PAIRS, Entry("archive/../../evil", b"x")]), UnsafePickle),
    Attack("an absolute path", handmade([*PAIRS, Entry("/etc/passwd", b"x")]), UnsafePickle),
    Attack("a Windows path", handmade([*PAIRS, Entry("archive\\..\\evil", b"x")]), UnsafePickle),
    Attack("a name with a NUL", handmade([Entry("archive/data.pkl\0.txt", GOOD), PAIRS[1]]), UnsafePickle),
    Attack("a name that is not UTF-8", handmade([*PAIRS, Entry("archive/x", b"x")]).replace(b"archive/x", b"archive/\xff"), BadPickle),
    Attack("a program beside the weights", handmade([*PAIRS, Entry("archive/evil.py", b"import os")]), UnsafePickle),
    Attack("TorchScript", handmade([*PAIRS, Entry("archive/code/__torch__.py", b"def f(): pass")]), UnsafePickle),
    Attack("a folder entry", handmade([*PAIRS, Entry("archive/data/", b"")]), UnsafePickle),
    Attack("no pickle", handmade([PAIRS[1]]), BadPickle),
    Attack("big-endian", zipped(members(GOOD) | {"archive/byteorder": b"big"}), BadPickle),
    Attack("an unknown byte order", zipped(members(GOOD) | {"archive/byteorder": b"pdp"}), BadPickle),
    Attack(
        "a descriptor that contradicts",
        handmade([Entry("archive/data.pkl", GOOD, flags=8, descriptor=later(GOOD, 3)), PAIRS[1]]),
        BadPickle,
    ),
    Attack(
        "a descriptor without its magic",
        handmade([Entry("archive/data.pkl", GOOD, flags=8, descriptor=later(GOOD, magic=b"evil")), PAIRS[1]]),
        BadPickle,
    ),
    Attack("a descriptor that was not announced", handmade([Entry("archive/data.pkl", GOOD, descriptor=later(GOOD)), PAIRS[1]]), BadPickle),
    Attack("a missing descriptor", handmade([Entry("archive/data.pkl", GOOD, flags=8), PAIRS[1]]), BadPickle),
    Attack("more members than the table has", handmade(PAIRS, count=3), BadPickle),
    Attack("fewer members than the table has", handmade(PAIRS, count=1), BadPickle),
    Attack("a table before its beginning", VALID[:-6] + b"\xff\xff\xff\x7f\0\0", BadPickle),
    Attack("a split archive", VALID[:-18] + b"\x01" + VALID[-17:], BadPickle),
]

LEGACY = [
    Attack("legacy cut by one byte", VALID_LEGACY[:-1], TruncatedFile),
    Attack("legacy cut in its pickle", VALID_LEGACY[:80], TruncatedFile),
    Attack("legacy without storages", legacy(LEGACY_VALUE, LEGACY_KEYS, b""), TruncatedFile),
    Attack("legacy with a byte too many", VALID_LEGACY + b"x", BadPickle),
    Attack("legacy with a pickle appended", VALID_LEGACY + pickle.dumps(Payload()), BadPickle),
    Attack("legacy of another length", legacy(LEGACY_VALUE, LEGACY_KEYS, block(5, bytes(20))), BadPickle),
    Attack("legacy of a negative length", legacy(LEGACY_VALUE, LEGACY_KEYS, block(-4, bytes(16))), BadPickle),
    Attack("legacy of 2^62 elements", legacy(LEGACY_VALUE, LEGACY_KEYS, block(2**62, bytes(16))), BadPickle),
    Attack("legacy with other keys", legacy(LEGACY_VALUE, EMPTY_LIST + text("1") + b"a", block(4, bytes(16))), BadPickle),
    Attack("legacy with keys twice", legacy(LEGACY_VALUE, EMPTY_LIST + (text("0") + b"a") * 2, block(4, bytes(16)) * 2), BadPickle),
    Attack("legacy with keys in a dictionary", legacy(LEGACY_VALUE, EMPTY_DICT, block(4, bytes(16))), BadPickle),
    Attack(
        "legacy from a big-endian machine",
        legacy(LEGACY_VALUE, LEGACY_KEYS, block(4, bytes(16)), mapping(little_endian=b"\x89")),
        BadPickle,
    ),
    Attack("legacy without a byte order", legacy(LEGACY_VALUE, LEGACY_KEYS, block(4, bytes(16)), EMPTY_DICT), BadPickle),
    Attack("legacy of another version", LEGACY_START.replace(b"M\xe9\x03", b"M\xea\x03") + VALID_LEGACY[len(LEGACY_START) :], BadPickle),
    Attack("legacy with a payload as its system", legacy(LEGACY_VALUE, LEGACY_KEYS, b"", call("os", "system", text("id"))), UnsafePickle),
    Attack("legacy with a payload as its keys", legacy(LEGACY_VALUE, call("os", "system", text("id")), b""), UnsafePickle),
    Attack("legacy with a payload", legacy(pickle.dumps(Payload(), 2), LEGACY_KEYS, b""), UnsafePickle),
    Attack(
        "legacy module",
        legacy(pickled(tup(text("module"), name("torch", "Tensor"), text("a"), text("b")) + PERSID), LEGACY_KEYS, b""),
        UnsafePickle,
    ),
    Attack(
        "legacy view beyond its storage",
        legacy(
            LEGACY_VALUE.replace(number(4) + b"N" + b"t" + PERSID, number(4) + tup(text("v"), number(2), number(4)) + b"t" + PERSID),
            LEGACY_KEYS,
            block(4, bytes(16)),
        ),
        BadPickle,
    ),
    Attack(
        "legacy view of negative size",
        legacy(
            LEGACY_VALUE.replace(number(4) + b"N" + b"t" + PERSID, number(4) + tup(text("v"), number(0), number(-1)) + b"t" + PERSID),
            LEGACY_KEYS,
            block(4, bytes(16)),
        ),
        BadPickle,
    ),
    Attack("a tar archive", b"\0" * 257 + b"ustar" + b"\0" * 300, UnsafePickle),
]

OTHERS = [
    Attack("7-Zip", b"7z\xbc\xaf\x27\x1c" + bytes(60), NotWeights),
    Attack("RAR", b"Rar!\x1a\x07\x01\x00" + bytes(60), NotWeights),
    Attack("gzip", b"\x1f\x8b\x08" + bytes(60), NotWeights),
    Attack("safetensors before an archive", SAFETENSORS + VALID, WeightsError),
    Attack("an archive behind a web page", b"<html>" + bytes(600) + VALID, NotWeights),
    Attack("an archive behind a picture", b"\x89PNG\r\n\x1a\n" + VALID, NotWeights),
]
