"""Hostile and broken safetensors files, each with the error that it must meet."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from typing import NamedTuple

from modules.weights.errors import BadHeader, EmptyFile, NotWeights, PickleFile, PointerFile, TruncatedFile, WeightsError

OWNED: list[str] = []


class Attack(NamedTuple):
    name: str
    content: bytes
    error: type[WeightsError]


class Payload:
    """Leaves a trace if anything ever unpickles it."""

    def __reduce__(self) -> tuple:
        return OWNED.append, ("unpickled",)


def file(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else (header if isinstance(header, str) else json.dumps(header)).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def one(shape: object = (4,), offsets: object = (0, 4), dtype: object = "U8", name: str = "a") -> dict:
    return {name: {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(Payload()))
    return buffer.getvalue()


VALID = file(one(), b"abcd")
ENTRY = '{"dtype":"U8","shape":[2],"data_offsets":[0,2]}'
ENTRY_OF = '{{"a":{{"dtype":"U8","shape":[{}],"data_offsets":[0,4]}}}}'

ATTACKS = [
    Attack("empty", b"", EmptyFile),
    Attack("one byte", b"\x02", TruncatedFile),
    Attack("length alone", (2).to_bytes(8, "little"), TruncatedFile),
    Attack("header length 0", file(b"", b"abcd"), BadHeader),
    Attack("header length 1", file(b"{"), BadHeader),
    Attack("header length above the limit", file(one(), b"abcd", 100_000_001), BadHeader),
    Attack("header length 2^63", file(one(), b"abcd", 2**63), BadHeader),
    Attack("header length 2^64-1", file(one(), b"abcd", 2**64 - 1), BadHeader),
    Attack("header length beyond the file", file(one(), b"abcd", 90_000_000), TruncatedFile),
    Attack("header length into the data", file(one(), b"abcd", len(json.dumps(one())) + 2), BadHeader),
    Attack("header length too short", file(one(), b"abcd", 10), BadHeader),
    Attack("truncated in the header", VALID[:20], TruncatedFile),
    Attack("truncated by one byte", VALID[:-1], TruncatedFile),
    Attack("one byte too many", VALID + b"x", BadHeader),
    Attack("zip appended", VALID + archive(), BadHeader),
    Attack("script appended", VALID + b"<script>alert(1)</script>", BadHeader),
    Attack("two files in one", VALID + VALID, BadHeader),
    Attack("overlap", file(one() | one(name="b"), b"abcd"), BadHeader),
    Attack("partial overlap", file(one() | one(offsets=(2, 6), name="b"), b"abcdef"), BadHeader),
    Attack("one inside the other", file(one((8,), (0, 8)) | one((2,), (3, 5), name="b"), b"abcdefgh"), BadHeader),
    Attack("hole at the start", file(one(offsets=(1, 5)), b"abcde"), BadHeader),
    Attack("hole in the middle", file(one() | one(offsets=(5, 9), name="b"), b"abcdefghi"), BadHeader),
    Attack("offsets swapped", file(one(offsets=(4, 0)), b"abcd"), BadHeader),
    Attack("negative offsets", file(one(offsets=(-4, 0)), b"abcd"), BadHeader),
    Attack("three offsets", file(one(offsets=(0, 4, 8)), b"abcd"), BadHeader),
    Attack("offsets as text", file(one(offsets=("0", "4")), b"abcd"), BadHeader),
    Attack("fractional offsets", file(one(offsets=(0.0, 4.0)), b"abcd"), BadHeader),
    Attack("offsets beyond 2^64", file(one((2**64,), (0, 2**64))), BadHeader),
    Attack("shape 2^64", file(one((2**64,)), b"abcd"), BadHeader),
    Attack("shape that wraps to 0", file(one((2**32, 2**32), (0, 0))), BadHeader),
    Attack("shape that wraps to 4", file(one((2**62, 4, 1), (0, 4), "U8"), b"abcd"), BadHeader),
    Attack("huge shape times zero", file(one((0, 2**63), (0, 0))), BadHeader),
    Attack("negative shape", file(one((-2, -2)), b"abcd"), BadHeader),
    Attack("shape true", file(one((True,), (0, 1)), b"a"), BadHeader),
    Attack("shape null", file(one(None), b"abcd"), BadHeader),
    Attack("shape not a list", file(one({"0": 4}), b"abcd"), BadHeader),
    Attack("a thousand dimensions", file(one([1] * 1000, (0, 1)), b"a"), BadHeader),
    Attack("number of 4000 digits", file(ENTRY_OF.format("9" * 4000), b"abcd"), BadHeader),
    Attack("number of a million digits", file(ENTRY_OF.format("9" * 10**6), b"abcd"), BadHeader),
    Attack("NaN", file(ENTRY_OF.format("NaN"), b"abcd"), BadHeader),
    Attack("bytes do not fit the dtype", file(one(dtype="F32"), b"abcd"), BadHeader),
    Attack("unknown dtype", file(one(dtype="Q4_K"), b"abcd"), BadHeader),
    Attack("dtype that evaluates", file(one(dtype="__import__('os').system('id')"), b"abcd"), BadHeader),
    Attack("dtype not text", file(one(dtype=1), b"abcd"), BadHeader),
    Attack("duplicate tensor", file(f'{{"a":{ENTRY},"a":{ENTRY}}}', b"ab"), BadHeader),
    Attack("duplicate under an escape", file(f'{{"a":{ENTRY},"\\u0061":{ENTRY}}}', b"ab"), BadHeader),
    Attack("duplicate field", file('{"a":{"dtype":"U8","shape":[2],"shape":[2],"data_offsets":[0,2]}}', b"ab"), BadHeader),
    Attack("duplicate metadata", file(f'{{"__metadata__":{{}},"__metadata__":{{"x":"y"}},"a":{ENTRY}}}', b"ab"), BadHeader),
    Attack("duplicate metadata key", file(f'{{"__metadata__":{{"x":"y","x":"z"}},"a":{ENTRY}}}', b"ab"), BadHeader),
    Attack("metadata is a tensor", file(f'{{"__metadata__":{ENTRY}}}', b"ab"), BadHeader),
    Attack("metadata nested", file('{"__metadata__":{"a":{"b":"c"}}}'), BadHeader),
    Attack("metadata nested deeply", file('{"__metadata__":{"a":' + "[" * 500_000), BadHeader),
    Attack("missing field", file({"a": {"dtype": "U8", "shape": [4]}}, b"abcd"), BadHeader),
    Attack("additional field", file({"a": {**one()["a"], "exec": "id"}}, b"abcd"), BadHeader),
    Attack("entry is a list", file('{"a":["U8",[4],[0,4]]}', b"abcd"), BadHeader),
    Attack("entry nested deeply", file('{"a":' + '{"a":' * 500_000), BadHeader),
    Attack("lists nested deeply", file('{"a":{"shape":' + "[" * 500_000), BadHeader),
    Attack("lists nested deeply in a short entry", file('{"a":{"shape":' + "[" * 1900 + "]" * 1900 + "}}"), BadHeader),
    Attack("endless string", file('{"' + "a" * 500_000), BadHeader),
    Attack("a million empty lists", file('{"a":[' + "[]," * 10**6 + "[]]}"), BadHeader),
    Attack("header is a list", file("[1]"), BadHeader),
    Attack("header is null", file("null"), BadHeader),
    Attack("header after a space", file(" " + json.dumps(one()), b"abcd"), BadHeader),
    Attack("header after a byte order mark", file(b"\xef\xbb\xbf" + json.dumps(one()).encode(), b"abcd"), BadHeader),
    Attack("header in UTF-16", file(json.dumps(one()).encode("utf-16-le"), b"abcd"), BadHeader),
    Attack("not UTF-8", file(b'{"a\xff":' + ENTRY.encode() + b"}", b"ab"), BadHeader),
    Attack("overlong UTF-8", file(b'{"\xc0\xae":' + ENTRY.encode() + b"}", b"ab"), BadHeader),
    Attack("lone surrogate", file(f'{{"\\udcff":{ENTRY}}}', b"ab"), BadHeader),
    Attack("control character", file(b'{"a\x00":' + ENTRY.encode() + b"}", b"ab"), BadHeader),
    Attack("single quotes", file("{'a':" + ENTRY + "}", b"ab"), BadHeader),
    Attack("comment", file("{/* */}"), BadHeader),
    Attack("trailing comma", file(f'{{"a":{ENTRY},}}', b"ab"), BadHeader),
    Attack("two objects", file("{}{}"), BadHeader),
    Attack("NUL after the object", file(b"{}\0\0"), BadHeader),
    Attack("zeros", bytes(4096), BadHeader),
    Attack("ones", b"\xff" * 4096, BadHeader),
    Attack("web page", b"<!DOCTYPE html><html><body>Sign in</body></html>", NotWeights),
    Attack("json answer", b'{"error": "Repository not found"}', NotWeights),
    Attack("git-LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n", PointerFile),
    Attack("git-LFS pointer with an absurd size", b"version https://git-lfs.github.com/spec/v1\nsize " + b"9" * 900, PointerFile),
    Attack("pickle", pickle.dumps(Payload(), 2), PickleFile),
    Attack("pickle of protocol 4", pickle.dumps(Payload(), 4), PickleFile),
    Attack("pickle of protocol 0", pickle.dumps(Payload(), 0), NotWeights),
    Attack("torch archive", archive(), PickleFile),
    Attack("GGUF", b"GGUF\x03\0\0\0" + bytes(64), NotWeights),
]
