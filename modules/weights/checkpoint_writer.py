"""torch's zip format written tensor by tensor, for programs that read nothing but `.ckpt`."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from modules.weights.safetensors_writer import Planned, Progress, Read, WriteFailed, dtype_name, raw_bytes, replacing

STORAGES = {
    "F64": "DoubleStorage", "F32": "FloatStorage", "F16": "HalfStorage", "BF16": "BFloat16Storage", "I64": "LongStorage",
    "I32": "IntStorage", "I16": "ShortStorage", "I8": "CharStorage", "U8": "ByteStorage", "BOOL": "BoolStorage",
}  # fmt: skip


def write_checkpoint(
    path: str | Path, plan: Mapping[str, Planned], read: Read, *, overwrite: bool = False, progress: Progress | None = None
) -> None:
    """Write `{"state_dict": {…}}` as `torch.save` would, each tensor fetched by `read(name)` when its turn comes.

    Raises AlreadyThere or WriteFailed as `write_safetensors` does, which is the format to prefer.
    """
    path = Path(path)
    for name, tensor in plan.items():
        if tensor.dtype not in STORAGES:
            raise WriteFailed(path, f"cannot be written: '{name}' is {tensor.dtype}, which only safetensors files keep here")
    with replacing(path, overwrite=overwrite) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(_member("data.pkl"), _pickle(plan))
        archive.writestr(_member("byteorder"), b"little")
        archive.writestr(_member("version"), b"3\n")
        for index, name in enumerate(plan):
            value = read(name)
            if Planned(dtype_name(value.dtype), tuple(value.shape)) != plan[name]:
                raise WriteFailed(path, f"was given up: '{name}' changed while it was read")
            archive.writestr(_member(f"data/{index}"), raw_bytes(value).tobytes())
            del value
            if progress is not None:
                progress((index + 1) / len(plan))


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(f"archive/{name}")  # the date is always 1980, so equal weights give equal files


def _pickle(plan: Mapping[str, Planned]) -> bytes:
    """The pickle of the state dict, instruction by instruction (protocol 2)."""
    out = io.BytesIO()
    out.write(b"\x80\x02}" + _text("state_dict") + b"}(")
    for index, (name, tensor) in enumerate(plan.items()):
        count = 1
        for size in tensor.shape:
            count *= size
        storage = b"(" + _text("storage") + _name("torch", STORAGES[tensor.dtype]) + _text(str(index)) + _text("cpu") + _int(count) + b"tQ"
        strides, step = [], 1
        for size in reversed(tensor.shape):
            strides.append(step)
            step *= max(size, 1)
        view = _int(0) + _tuple(tensor.shape) + _tuple(tuple(reversed(strides)))
        hooks = _name("collections", "OrderedDict") + b")R"
        out.write(_text(name) + _name("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + view + b"\x89" + hooks + b"tR")
    out.write(b"us.")
    return out.getvalue()


def _text(value: str) -> bytes:
    raw = value.encode("utf-8")
    return b"X" + struct.pack("<I", len(raw)) + raw


def _name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def _int(value: int) -> bytes:
    if value < 256:
        return b"K" + bytes([value])
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def _tuple(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(_int(value) for value in values) + b"t"
