"""Pickles that ask for code, for names or for what lies outside: each with the error that it must meet."""

from __future__ import annotations

import pickle

from attacks.hostile_parts import OBJECT_STATE, Attack, hidden, short
from attacks.hostile_safetensors import Payload
from attacks.pickle_bytes import (
    BUILD,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    MARK,
    PERSID,
    REDUCE,
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

from modules.weights.errors import BadPickle, UnsafePickle, UnsupportedFamily

CALLS = [
    Attack("os.system", hidden(call("os", "system", text("touch owned"))), UnsafePickle),
    Attack("os.system alone", pickled(call("os", "system", text("touch owned"))), UnsafePickle),
    Attack("posix.system", hidden(call("posix", "system", text("touch owned"))), UnsafePickle),
    Attack("nt.system", hidden(call("nt", "system", text("touch owned"))), UnsafePickle),
    Attack("eval", hidden(call("builtins", "eval", text("1"))), UnsafePickle),
    Attack("python 2's eval", hidden(call("__builtin__", "eval", text("1"))), UnsafePickle),
    Attack("exec", hidden(call("builtins", "exec", text("1"))), UnsafePickle),
    Attack("getattr", hidden(call("builtins", "getattr", name("os", "environ"), text("get"))), UnsafePickle),
    Attack("__import__", hidden(call("builtins", "__import__", text("os"))), UnsafePickle),
    Attack("webbrowser", hidden(call("webbrowser", "open", text("http://x"))), UnsafePickle),
    Attack("subprocess", hidden(call("subprocess", "Popen", text("id"))), UnsafePickle),
    Attack("a dotted name", hidden(call("torch", "serialization.os.system", text("id"))), UnsafePickle),
    Attack("a dotted module of torch", hidden(call("torch._utils.os", "system", text("id"))), UnsafePickle),
    Attack("torch.load", hidden(call("torch", "load", text("x"))), UnsafePickle),
    Attack("torch.hub", hidden(call("torch.hub", "load", text("x"))), UnsafePickle),
    Attack("a nested pickle", hidden(call("torch.storage", "_load_from_bytes", b"C\x01x")), UnsafePickle),
    Attack("pickle.loads", hidden(call("pickle", "loads", b"C\x01x")), UnsafePickle),
    Attack("_pickle.loads", hidden(call("_pickle", "loads", b"C\x01x")), UnsafePickle),
    Attack("numpy.load", hidden(call("numpy", "load", text("x"))), UnsafePickle),
    Attack("numpy's runstring", hidden(call("numpy.testing._private.utils", "runstring", text("1"))), UnsafePickle),
    Attack("operator.attrgetter", hidden(call("operator", "attrgetter", text("system"))), UnsafePickle),
    Attack("functools.partial", hidden(call("functools", "partial", name("os", "system"))), UnsafePickle),
    Attack("a profile run", hidden(call("cProfile", "run", text("1"))), UnsafePickle),
    Attack("pip.main", hidden(call("pip", "main", EMPTY_LIST)), UnsafePickle),
    Attack("a name alone", hidden(name("os", "system")), UnsafePickle),
    Attack("a name thrown away", archive(pickled(name("os", "system") + b"0" + EMPTY_DICT)), UnsafePickle),
    Attack("a name above the mark", archive(pickled(MARK + name("os", "system") + b"1" + EMPTY_DICT)), UnsafePickle),
    Attack("an allowed name with a space", hidden(call("collections", "OrderedDict ")), UnsafePickle),
    Attack("an allowed name in capitals", hidden(call("Collections", "OrderedDict")), UnsafePickle),
    Attack("a name that is not ASCII", archive(pickled(b"cos\xe2\x80\x8b\nsystem\n")), UnsafePickle),
    Attack("a name with a NUL", hidden(name("os\0", "system")), UnsafePickle),
    Attack("a name without end", archive(pickled(b"c" + b"a" * 5000)), BadPickle),
    Attack("a text name of protocol 4", archive(pickled(short("os") + short("system") + b"\x93", 4)), UnsafePickle),
    Attack(
        "a name through the memo", archive(pickled(short("os") + b"\x94" + short("system") + b"\x94" + b"h\0h\x01\x93", 4)), UnsafePickle
    ),
    Attack("a name of joined parts", archive(pickled(EMPTY_LIST + short("system") + b"\x93", 4)), UnsafePickle),
    Attack("bytes of a gigabyte", hidden(call("builtins", "bytes", number(2**30))), BadPickle),
    Attack("a chain of calls", hidden(call("collections", "OrderedDict", EMPTY_LIST) + EMPTY_TUPLE + REDUCE), UnsafePickle),
    Attack("a call of a text", hidden(text("os.system") + tup(text("id")) + REDUCE), UnsafePickle),
    Attack("a call of a storage class", hidden(call("torch", "FloatStorage", number(4))), UnsafePickle),
    Attack("a call of a dtype", hidden(call("torch", "float32")), UnsafePickle),
    Attack("a call of a callback class", hidden(call("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")), UnsafePickle),
    Attack("a call with a list", hidden(name("collections", "OrderedDict") + EMPTY_LIST + REDUCE), BadPickle),
    Attack("a call with too many arguments", hidden(call("collections", "OrderedDict", *[number(0)] * 9)), BadPickle),
    Attack("NEWOBJ", hidden(name("subprocess", "Popen") + tup(text("id")) + b"\x81"), UnsafePickle),
    Attack("NEWOBJ of an inert class", hidden(name("torch", "Tensor") + EMPTY_TUPLE + b"\x81"), UnsafePickle),
    Attack("NEWOBJ_EX", hidden(name("collections", "OrderedDict") + EMPTY_TUPLE + EMPTY_DICT + b"\x92", 4), UnsafePickle),
    Attack("INST", hidden(MARK + text("id") + b"ios\nsystem\n"), UnsafePickle),
    Attack("OBJ", hidden(MARK + name("os", "system") + text("id") + b"o"), UnsafePickle),
    Attack("OBJ of an allowed name", hidden(MARK + name("collections", "OrderedDict") + b"o"), UnsafePickle),
    Attack("BUILD on a number", hidden(number(1) + OBJECT_STATE + BUILD), UnsafePickle),
    Attack("BUILD on a name", hidden(name("torch", "Tensor") + OBJECT_STATE + BUILD), UnsafePickle),
    Attack("BUILD on a list", hidden(EMPTY_LIST + OBJECT_STATE + BUILD), UnsafePickle),
    Attack("extension registry 1", hidden(b"\x82\x01"), UnsafePickle),
    Attack("extension registry 2", hidden(b"\x83\x01\0"), UnsafePickle),
    Attack("extension registry 4", hidden(b"\x84\x01\0\0\0"), UnsafePickle),
    Attack("out-of-band buffer", hidden(b"\x97", 5), UnsafePickle),
    Attack("read-only buffer", hidden(number(1) + b"\x98", 5), UnsafePickle),
    Attack(
        "reconstructor of any class",
        hidden(call("copyreg", "_reconstructor", name("torch", "Tensor"), name("builtins", "object"), b"N")),
        UnsafePickle,
    ),
    Attack(
        "reconstructor of itself",
        hidden(call("copyreg", "_reconstructor", name("copyreg", "_reconstructor"), name("builtins", "object"), b"N")),
        BadPickle,
    ),
    Attack("dictionary with a factory", hidden(call("collections", "defaultdict", name("collections", "OrderedDict"))), UnsafePickle),
    Attack("text encoder", hidden(call("_codecs", "encode", text("x"), text("rot13"))), UnsafePickle),
    Attack("bytes beyond 255", hidden(call("_codecs", "encode", text("\u4e00"), text("latin1"))), BadPickle),
    Attack(
        "tensor of any class",
        hidden(
            call(
                "torch._tensor",
                "_rebuild_from_type_v2",
                name("torch._utils", "_rebuild_tensor_v2"),
                name("numpy", "ndarray"),
                EMPTY_TUPLE,
                b"N",
            )
        ),
        UnsafePickle,
    ),
    Attack(
        "tensor by any function",
        hidden(
            call("torch._tensor", "_rebuild_from_type_v2", name("collections", "OrderedDict"), name("torch", "Tensor"), EMPTY_TUPLE, b"N")
        ),
        UnsafePickle,
    ),
    Attack("a whole module", hidden(call("torch.nn.modules.linear", "Linear", number(1))), UnsafePickle),
    Attack("a real payload", archive(pickle.dumps(Payload(), 2)), UnsafePickle),
    Attack("a real payload of protocol 5", archive(pickle.dumps({"a": Payload()}, 5)), UnsafePickle),
    Attack("a real payload alone", pickle.dumps(Payload(), 3), UnsafePickle),
    Attack("a payload behind weights", pickled(mapping(a=number(1)))[:-1] + pickle.dumps(Payload(), 4)[2:], UnsafePickle),
]

PERSISTENT = [
    Attack("persistent id in text", hidden(b"Pos.system\n"), UnsafePickle),
    Attack("persistent id that is a text", hidden(text("os.system") + PERSID), UnsafePickle),
    Attack(
        "persistent id of a module",
        hidden(tup(text("module"), name("torch", "Tensor"), text("x.py"), text("import os")) + PERSID),
        UnsafePickle,
    ),
    Attack("persistent id of another tag", archive(state(tensor(source=storage(tag="module")))), UnsafePickle),
    Attack("persistent id without an archive", pickled(storage()), UnsafePickle),
    Attack("storage of a class of its own", archive(state(tensor(source=storage(kind="Tensor")))), UnsafePickle),
    Attack(
        "storage that is a text",
        archive(state(tup(text("storage"), text("FloatStorage"), text("0"), text("cpu"), number(4)) + PERSID)),
        UnsafePickle,
    ),
    Attack(
        "storage whose key is a number",
        archive(state(tup(text("storage"), name("torch", "FloatStorage"), number(0), text("cpu"), number(4)) + PERSID)),
        BadPickle,
    ),
    Attack("storage whose key leads out", archive(state(tensor(source=storage(key="../../etc/passwd")))), BadPickle),
    Attack("storage with a long key", archive(state(tensor(source=storage(key="0" * 10_000)))), BadPickle),
    Attack("storage that is not there", archive(state(tensor(source=storage(key="7")))), BadPickle),
    Attack("storage larger than its bytes", archive(state(tensor(source=storage(elements=5)))), BadPickle),
    Attack("storage smaller than its bytes", archive(state(tensor(source=storage(elements=3)))), BadPickle),
    Attack("storage of a wider dtype", archive(state(tensor(source=storage(kind="DoubleStorage")))), BadPickle),
    Attack("storage of a negative size", archive(state(tensor(source=storage(elements=-4)))), BadPickle),
    Attack("storage of 2^70 elements", archive(state(tensor(source=storage(elements=2**70)))), BadPickle),
    Attack(
        "storage of True elements",
        archive(state(tup(text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), b"\x88") + PERSID)),
        BadPickle,
    ),
    Attack("quantized storage", archive(state(tensor(source=storage(kind="QInt8Storage")))), UnsupportedFamily),
]
