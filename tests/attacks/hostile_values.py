"""Pickles whose tensors lie, or whose instructions are absurd: each with the error that it must meet."""

from __future__ import annotations

import pickle
import struct

from attacks.hostile_parts import ARRAY, DTYPE, GOOD, Attack, typed_tensor
from attacks.hostile_safetensors import Payload
from attacks.pickle_bytes import (
    BUILD,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    MARK,
    archive,
    call,
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

from modules.weights.errors import BadPickle, TruncatedFile, UnsafePickle, UnsupportedFamily

TENSORS = [
    Attack("offset beyond the storage", archive(state(tensor(offset=1))), BadPickle),
    Attack("offset of 2^63", archive(state(tensor(offset=2**63))), BadPickle),
    Attack("negative offset", archive(state(tensor(offset=-1))), BadPickle),
    Attack("negative stride", archive(state(tensor((4,), (-1,), 3))), BadPickle),
    Attack("negative shape", archive(state(tensor((-4,), (1,)))), BadPickle),
    Attack("stride beyond the storage", archive(state(tensor((2,), (4,)))), BadPickle),
    Attack("stride that wraps", archive(state(tensor((2,), (2**62,)))), BadPickle),
    Attack("shape that wraps to 0", archive(state(tensor((2**32, 2**32), (1, 1)))), BadPickle),
    Attack("shape that wraps to 4", archive(state(tensor((2**62, 4), (0, 1)))), BadPickle),
    Attack("an enormous shape by stride 0", archive(state(tensor((2**40,), (0,)))), UnsafePickle),
    Attack("a shape larger than the storage by stride 0", archive(state(tensor((5,), (0,)))), UnsafePickle),
    Attack("huge shape times zero", archive(state(tensor((0, 2**62), (1, 1)))), BadPickle),
    Attack("fewer strides than dimensions", archive(state(tensor((2, 2), (1,)))), BadPickle),
    Attack("a thousand dimensions", archive(state(tensor((1,) * 1000, (1,) * 1000))), BadPickle),
    Attack(
        "shape as a list",
        archive(state(call("torch._utils", "_rebuild_tensor_v2", storage(), number(0), EMPTY_LIST, EMPTY_TUPLE))),
        BadPickle,
    ),
    Attack(
        "shape of texts",
        archive(state(call("torch._utils", "_rebuild_tensor_v2", storage(), number(0), tup(text("4")), tup(text("1"))))),
        BadPickle,
    ),
    Attack(
        "shape of True",
        archive(state(call("torch._utils", "_rebuild_tensor_v2", storage(), number(0), b"\x88\x85", b"\x88\x85"))),
        BadPickle,
    ),
    Attack("tensor of a text", archive(state(tensor(source=text("0")))), BadPickle),
    Attack(
        "tensor without a dtype",
        archive(state(tensor(source=storage(elements=16, kind="UntypedStorage", module="torch.storage")))),
        BadPickle,
    ),
    Attack("tensor of an unknown dtype", archive(state(typed_tensor(text("float32")))), BadPickle),
    Attack("tensor too wide for its bytes", archive(state(typed_tensor(name("torch", "float64")))), BadPickle),
    Attack("quantized tensor", archive(state(call("torch._utils", "_rebuild_qtensor", storage()))), UnsupportedFamily),
    Attack("sparse tensor", archive(state(call("torch._utils", "_rebuild_sparse_tensor", storage()))), UnsupportedFamily),
    Attack("parameter of a text", archive(state(call("torch._utils", "_rebuild_parameter", text("x"), b"\x89", b"N"))), BadPickle),
    Attack(
        "one storage under a thousand names",
        archive(
            pickled(
                EMPTY_DICT
                + MARK
                + b"".join(
                    text(f"t{i}") + (tensor((2**14,), source=storage(elements=2**14)) + b"q\1" if not i else b"h\1") for i in range(1000)
                )
                + b"u"
            ),
            {"0": bytes(2**16)},
        ),
        UnsafePickle,
    ),
    Attack(
        "the same name twice",
        archive(pickled(EMPTY_DICT + MARK + text("a.b") + tensor() + text("a") + mapping(b=tensor()) + b"u")),
        BadPickle,
    ),
    Attack("a very long name", archive(pickled(EMPTY_DICT + text("n" * 100_000) + tensor() + b"s")), UnsafePickle),
    Attack("a list of tensors alone", archive(pickled(EMPTY_LIST + tensor() + b"a")), BadPickle),
    Attack(
        "numpy objects",
        archive(
            state(
                ARRAY
                + tup(number(1), number(1) + b"\x85", call("numpy", "dtype", text("O8"), b"\x89", b"\x88"), b"\x89", EMPTY_LIST)
                + BUILD
            )
        ),
        UnsafePickle,
    ),
    Attack("numpy records", archive(state(call("numpy", "dtype", text("V8"), b"\x89", b"\x88"))), UnsafePickle),
    Attack(
        "numpy names of fields",
        archive(state(call("numpy", "dtype", text("f4"), b"\x89", b"\x88") + tup(number(3), text("<"), text("x"), b"NN") + BUILD)),
        UnsafePickle,
    ),
    Attack(
        "numpy array of another size",
        archive(state(ARRAY + tup(number(1), number(9) + b"\x85", DTYPE, b"\x89", b"C\x04abcd") + BUILD)),
        BadPickle,
    ),
    Attack(
        "numpy array of a class of its own",
        archive(state(call("numpy.core.multiarray", "_reconstruct", name("torch", "Tensor"), EMPTY_TUPLE, b"N"))),
        UnsafePickle,
    ),
    Attack("big-endian numpy array", archive(state(call("numpy", "dtype", text(">f4"), b"\x89", b"\x88"))), BadPickle),
    Attack("numpy array without content", archive(state(ARRAY)), BadPickle),
    Attack("numpy number of the wrong length", archive(state(call("numpy.core.multiarray", "scalar", DTYPE, b"C\x01a"))), BadPickle),
]

MACHINE = [
    Attack("nothing on the stack", archive(pickled(b"")), BadPickle),
    Attack("two values", archive(pickled(EMPTY_DICT * 2)), BadPickle),
    Attack("an open mark", archive(pickled(EMPTY_DICT + MARK)), BadPickle),
    Attack("tuple without a mark", archive(pickled(b"t")), BadPickle),
    Attack("tuple of nothing", archive(pickled(b"\x87")), BadPickle),
    Attack("pop of nothing", archive(pickled(b"0")), BadPickle),
    Attack("unknown instruction", archive(pickled(b"\xff")), BadPickle),
    Attack("no STOP", archive(GOOD[:-1]), TruncatedFile),
    Attack("protocol 0", archive(pickle.dumps({"a": 1}, 0)), UnsafePickle),
    Attack("protocol 1", archive(pickle.dumps({"a": 1}, 1)), UnsafePickle),
    Attack("protocol 99", archive(pickled(EMPTY_DICT, 99)), BadPickle),
    Attack("protocol twice", archive(pickled(b"\x80\x02" + EMPTY_DICT)), BadPickle),
    Attack("text number", archive(pickled(b"I1\n")), UnsafePickle),
    Attack("text number of a million digits", archive(pickled(b"L" + b"9" * 10**6 + b"L\n")), UnsafePickle),
    Attack("DUP", archive(pickled(EMPTY_DICT + b"2")), UnsafePickle),
    Attack("memo index of 4 billion", archive(pickled(EMPTY_DICT + b"r\xff\xff\xff\xff")), UnsafePickle),
    Attack("memo that was never written", archive(pickled(b"h\x07")), BadPickle),
    Attack("text memo index", archive(pickled(EMPTY_DICT + b"p99999999999\n")), UnsafePickle),
    Attack("number of a megabyte", archive(pickled(b"\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6)), UnsafePickle),
    Attack("number of negative length", archive(pickled(b"\x8b\xff\xff\xff\xff")), BadPickle),
    Attack("text of 4 GB", archive(pickled(b"X\xff\xff\xff\xff")), BadPickle),
    Attack("text of 2^64 bytes", archive(pickled(b"\x8d" + b"\xff" * 8, 4)), BadPickle),
    Attack("bytes of 2^63", archive(pickled(b"\x8e" + b"\0" * 7 + b"\x80", 4)), BadPickle),
    Attack("text that is not UTF-8", archive(pickled(b"X\x02\0\0\0\xff\xfe")), BadPickle),
    Attack("lone surrogate", archive(state(text("\ud800"))), BadPickle),
    Attack("old text of negative length", archive(pickled(b"T\xff\xff\xff\xff")), BadPickle),
    Attack("item of a tuple", archive(pickled(EMPTY_TUPLE + text("a") + number(1) + b"s")), UnsafePickle),
    Attack("items of a list", archive(pickled(EMPTY_LIST + MARK + text("a") + number(1) + b"u")), UnsafePickle),
    Attack("items of a tensor", archive(state(tensor() + text("a") + number(1) + b"s")), UnsafePickle),
    Attack("item of a storage", archive(state(storage() + text("a") + number(1) + b"s")), UnsafePickle),
    Attack("append to a dictionary", archive(pickled(EMPTY_DICT + number(1) + b"a")), UnsafePickle),
    Attack("append to a name", archive(pickled(name("torch", "Size") + MARK + number(1) + b"e")), UnsafePickle),
    Attack("set items on a list", archive(pickled(EMPTY_LIST + MARK + number(1) + b"\x90", 4)), UnsafePickle),
    Attack("a key without a value", archive(pickled(EMPTY_DICT + MARK + text("a") + b"u")), BadPickle),
    Attack("a list as a key", archive(pickled(EMPTY_DICT + EMPTY_LIST + number(1) + b"s")), UnsafePickle),
    Attack("a nested tuple as a key", archive(pickled(EMPTY_DICT + EMPTY_TUPLE + b"\x85" * 100_000 + number(1) + b"s")), UnsafePickle),
    Attack(
        "keys of one hash",
        archive(pickled(EMPTY_DICT + MARK + b"".join(number(i * (2**61 - 1)) + b"N" for i in range(1, 2000)) + b"u")),
        UnsafePickle,
    ),
    Attack("a fraction as a key", archive(pickled(EMPTY_DICT + b"G" + bytes(8) + number(1) + b"s")), UnsafePickle),
    Attack("lists nested deeply", archive(state(EMPTY_LIST * 50_000 + b"a" * 49_999)), UnsafePickle),
    Attack("tuples nested deeply", archive(state(EMPTY_TUPLE + b"\x85" * 100_000)), UnsafePickle),
    Attack("dictionaries nested deeply", archive(pickled((EMPTY_DICT + text("a")) * 50_000 + b"N" + b"s" * 50_000)), UnsafePickle),
    Attack("marks nested deeply", archive(pickled(MARK * 100_000 + b"t" * 100_000)), BadPickle),
    Attack("a circle", archive(state(EMPTY_LIST + b"q\0h\0a")), UnsafePickle),
    Attack("a circle of dictionaries", archive(pickled(EMPTY_DICT + b"q\0" + text("a") + b"h\0s")), UnsafePickle),
    Attack(
        "a billion laughs",
        archive(
            state(
                EMPTY_LIST
                + b"q\0"
                + b"".join(EMPTY_LIST + b"q" + bytes([i]) + MARK + (b"h" + bytes([i - 1])) * 10 + b"e" for i in range(1, 12))
                + b"\x86" * 11
            )
        ),
        UnsafePickle,
    ),
    Attack(
        "one list copied ten thousand times",
        archive(pickled(EMPTY_LIST + b"q\0" + MARK + number(0) * 1000 + b"e" + call("torch", "Size", b"h\0") * 10_000)),
        UnsafePickle,
    ),
    Attack(
        "one text encoded a thousand times",
        archive(pickled(text("x" * 10**6) + b"q\0" + call("_codecs", "encode", b"h\0", text("latin1")) * 1000)),
        UnsafePickle,
    ),
    Attack("millions of instructions", archive(pickled(b"N0" * 550_000 + EMPTY_DICT)), UnsafePickle),
    Attack("millions of lists", archive(pickled(EMPTY_LIST * 1_100_000)), UnsafePickle),
    Attack("a second pickle in the archive's", archive(GOOD + pickle.dumps(Payload())), UnsafePickle),
    Attack("a second pickle in the file", pickled(EMPTY_DICT) + pickle.dumps(Payload()), UnsafePickle),
    Attack("a text instead of weights", archive(pickled(text("weights"))), BadPickle),
    Attack("nothing instead of weights", archive(pickled(b"N")), BadPickle),
]
