"""The names a pickle of weights may use, and what our own code makes of each: the whole allow-list.

A name that is not in `BUILDERS` or `INERT` ends the reading. Nothing here looks a name up anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from modules.weights.pickle_numpy import NumpyArray, NumpyDtype, from_buffer, number
from modules.weights.pickle_values import Broken, Parameters, StoredTensor, Symbol, Unsafe, Unsupported, key, quoted, view

STORAGES: Mapping[str, str | None] = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8", "BoolStorage": "BOOL",
    "ComplexFloatStorage": "C64", "ComplexDoubleStorage": "C128", "UntypedStorage": None,
}  # fmt: skip
"""Storage class -> dtype of its elements; None for bytes."""

QUANTIZED = ("QUInt8Storage", "QInt8Storage", "QInt32Storage", "QUInt4x2Storage", "QUInt2x4Storage")

DTYPES: Mapping[str, str] = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "double": "F64", "float": "F32", "half": "F16",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0",
    "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64",
    "bool": "BOOL", "complex32": "C32", "complex64": "C64", "complex128": "C128",
}  # fmt: skip

_MODULES = ("torch", "torch.storage", "torch.cuda")
_TENSOR_CLASSES = {
    Symbol("torch", "Tensor"),
    Symbol("torch._tensor", "Tensor"),
    Symbol("torch.nn.parameter", "Parameter"),
    Symbol("torch.nn.parameter", "Buffer"),
}
PARAMETER_CLASSES = (Symbol("torch.nn.modules.container", "ParameterDict"), Symbol("torch.nn.modules.container", "ParameterList"))
_OBJECT = {Symbol("builtins", "object"), Symbol("__builtin__", "object")}
_NDARRAY = Symbol("numpy", "ndarray")
_LIGHTNING = "pytorch_lightning.callbacks."

Builder = Callable[..., Any]


def known(symbol: Symbol) -> Symbol:
    """The symbol itself if weights may name it; raises Unsafe or Unsupported."""
    if symbol in BUILDERS or symbol in INERT or storage_dtype(symbol) is not False:
        return symbol
    if symbol.module in _MODULES and symbol.name in QUANTIZED:
        raise Unsupported(f"holds quantized tensors ({symbol})", "quantized")
    if symbol in _UNSUPPORTED:
        raise Unsupported(f"holds {_UNSUPPORTED[symbol]} tensors ({symbol})", _UNSUPPORTED[symbol])
    raise Unsafe(f"asks for {quoted(symbol)}, which weights do not need")


def storage_dtype(symbol: Any) -> str | Literal[False] | None:
    """The element dtype that a storage class stands for (None: bytes), False for any other name."""
    if not isinstance(symbol, Symbol) or symbol.module not in _MODULES:
        return False
    return STORAGES.get(symbol.name, False)


def apply(function: Any, arguments: Any) -> Any:
    """What a call in the pickle stands for; raises Unsafe for one that is not in the table."""
    builder = BUILDERS.get(function) if isinstance(function, Symbol) else None
    if builder is None:
        raise Unsafe(f"calls {quoted(function) if isinstance(function, Symbol) else 'something that is no function'}")
    if type(arguments) is not tuple or len(arguments) > 16:
        raise Broken(f"calls {function} with impossible arguments")
    try:
        return builder(*arguments)
    except TypeError as error:
        raise Broken(f"calls {function} with impossible arguments") from error


def give_state(target: Any, state: Any) -> None:
    """Carry out BUILD: state for what has one, and nothing else."""
    if isinstance(target, NumpyDtype | NumpyArray):
        target.give_state(state)
    elif isinstance(target, Parameters):
        target.tensors = state.get("_parameters") if type(state) is dict else None
    elif type(target) is not dict and not isinstance(target, StoredTensor):
        raise Unsafe("sets the attributes of something that has none")
    # attributes of a dictionary (torch's version notes) or a tensor mean nothing for its values


def _ordered_dict(pairs: Any = ()) -> dict[Any, Any]:
    if type(pairs) not in (list, tuple):
        raise Broken("makes a dictionary of something else than pairs")
    made: dict[Any, Any] = {}
    for pair in pairs:
        if type(pair) not in (list, tuple) or len(pair) != 2:
            raise Broken("makes a dictionary of something else than pairs")
        made[key(pair[0])] = pair[1]
    return made


def _set(values: Any = ()) -> set[Any]:
    if type(values) not in (list, tuple):
        raise Broken("makes a set of something else than a list")
    return {key(value) for value in values}


def _size(shape: Any = ()) -> tuple[int, ...]:
    if type(shape) not in (list, tuple) or any(type(size) is not int for size in shape):
        raise Broken("holds a shape that is not of whole numbers")
    return tuple(shape)


def _device(name: Any, _index: Any = None) -> str:
    if type(name) is not str:
        raise Broken("names a device by something else than a text")
    return name


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_flags: Any) -> StoredTensor:
    return view(storage, None, offset, shape, strides)


def _tensor_v3(storage: Any, offset: Any, shape: Any, strides: Any, _grad: Any, _hooks: Any, dtype: Any, *_more: Any) -> StoredTensor:
    return view(storage, _dtype(dtype), offset, shape, strides)


def _parameter(data: Any, *_more: Any) -> StoredTensor:
    if not isinstance(data, StoredTensor):
        raise Broken("makes a parameter of something else than a tensor")
    return data


def _from_type(function: Any, kind: Any, arguments: Any, _state: Any) -> StoredTensor:
    """A tensor with attributes of its own: the tensor counts."""
    if function not in _TENSOR_BUILDERS or kind not in _TENSOR_CLASSES:
        raise Unsafe("builds a tensor of a class of its own")
    return _parameter(apply(function, arguments))


def _from_numpy(array: Any, *_more: Any) -> StoredTensor:
    if not isinstance(array, NumpyArray):
        raise Broken("makes a tensor of something else than an array")
    return array.tensor()


def _dtype(symbol: Any) -> str:
    if not isinstance(symbol, Symbol) or symbol.module != "torch" or symbol.name not in DTYPES:
        raise Broken("builds a tensor of an unknown dtype")
    return DTYPES[symbol.name]


def _encode(text: Any, encoding: Any) -> bytes:
    """How protocol 2 stores bytes: as a text of the characters 0-255."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise Unsafe("encodes text")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise Broken("stores bytes beyond 255") from error


def _reconstruct_array(kind: Any, _shape: Any, _letter: Any) -> NumpyArray:
    if kind != _NDARRAY:
        raise Unsafe("builds an array of a class of its own")
    return NumpyArray()


def _reconstructor(kind: Any, base: Any, state: Any) -> Any:
    if base not in _OBJECT or state is not None:
        raise Unsafe("builds an object of a class of its own")
    return apply(kind, ())


def _default_dict(factory: Any = None) -> dict[Any, Any]:
    if factory is not None and factory not in _FACTORIES:
        raise Unsafe("makes a dictionary with a factory of its own")
    return {}


def _both(name: str, builder: Builder) -> dict[Symbol, Builder]:
    """A built-in under its names of Python 2 and 3."""
    return {Symbol(module, name): builder for module in ("builtins", "__builtin__")}


_TENSOR_BUILDERS: dict[Symbol, Builder] = {
    Symbol("torch._utils", "_rebuild_tensor"): _tensor,
    Symbol("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Symbol("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
    Symbol("torch._utils", "_rebuild_parameter"): _parameter,
    Symbol("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    Symbol("torch._utils", "_rebuild_device_tensor_from_numpy"): _from_numpy,
    Symbol("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"): _parameter,
}

BUILDERS: dict[Symbol, Builder] = {
    **_TENSOR_BUILDERS,
    Symbol("torch._tensor", "_rebuild_from_type_v2"): _from_type,
    Symbol("torch", "Size"): _size,
    Symbol("torch", "device"): _device,
    **{symbol: Parameters for symbol in PARAMETER_CLASSES},
    Symbol("collections", "OrderedDict"): _ordered_dict,
    Symbol("collections", "defaultdict"): _default_dict,
    Symbol("_codecs", "encode"): _encode,
    Symbol("copyreg", "_reconstructor"): _reconstructor,
    Symbol("copy_reg", "_reconstructor"): _reconstructor,
    Symbol("numpy", "dtype"): NumpyDtype,
    **{Symbol(module, "_reconstruct"): _reconstruct_array for module in ("numpy.core.multiarray", "numpy._core.multiarray")},
    **{Symbol(module, "scalar"): number for module in ("numpy.core.multiarray", "numpy._core.multiarray")},
    **{Symbol(module, "_frombuffer"): from_buffer for module in ("numpy.core.numeric", "numpy._core.numeric")},
    **_both("set", _set),
    **_both("bytes", lambda: b""),
}
"""Name -> our function that takes the call's arguments."""

_FACTORIES = {Symbol(module, name) for module in ("builtins", "__builtin__") for name in ("dict", "list", "int", "float", "set")}

INERT: frozenset[Symbol] = frozenset(
    (
        *(Symbol("torch", name) for name in DTYPES),
        *_TENSOR_CLASSES,
        *_OBJECT,
        *_FACTORIES,
        _NDARRAY,
        Symbol(_LIGHTNING + "model_checkpoint", "ModelCheckpoint"),
        Symbol(_LIGHTNING + "early_stopping", "EarlyStopping"),
    )
)
"""Names that may stand in a pickle and cannot be called."""

_UNSUPPORTED: Mapping[Symbol, str] = {
    Symbol("torch._utils", "_rebuild_qtensor"): "quantized",
    Symbol("torch._utils", "_rebuild_sparse_tensor"): "sparse",
    Symbol("torch._utils", "_rebuild_sparse_csr_tensor"): "sparse",
    Symbol("torch._utils", "_rebuild_nested_tensor"): "nested",
    Symbol("torch._utils", "_rebuild_meta_tensor_no_storage"): "meta",
}
