"""Writing weight files tensor by tensor: the header first, then one tensor after the other, the finished file in one step.

Format: https://github.com/huggingface/safetensors, "Format". Tensors lie in the order of that library (wide dtypes first,
then by name), so that each is aligned.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from modules.weights.errors import WeightsError
from modules.weights.header import DTYPE_SIZES
from modules.weights.mapped import TORCH_DTYPES, reason

if TYPE_CHECKING:
    import torch

ALIGNMENT = 8


class WriteFailed(WeightsError):
    """A weight file could not be written; whatever was there before is untouched."""


class AlreadyThere(WeightsError):
    """The file to be written exists."""


class Planned(NamedTuple):
    """A tensor to be written: safetensors' dtype name and shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes in the file."""
        size = DTYPE_SIZES[self.dtype]
        for length in self.shape:
            size *= length
        return size


Read = Callable[[str], "torch.Tensor"]
Progress = Callable[[float], None]


def dtype_name(dtype: torch.dtype) -> str:
    """safetensors' (or our) name of a torch dtype."""
    return _NAMES[str(dtype).removeprefix("torch.")]


_NAMES = {name: key for key, name in TORCH_DTYPES.items()}


def write_safetensors(
    path: str | Path,
    plan: Mapping[str, Planned],
    read: Read,
    metadata: Mapping[str, str] | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write the planned tensors, each fetched by `read(name)` when its turn comes and let go before the next.

    An unfinished file is never seen under `path`. Raises AlreadyThere unless `overwrite`, WriteFailed when the disk is full
    or not writable or when safetensors has no such dtype; what `read` raises goes through.
    """
    path = Path(path)
    for name, tensor in plan.items():
        if tensor.dtype not in DTYPE_SIZES:
            raise WriteFailed(path, f"cannot be written: safetensors has no {tensor.dtype}, the dtype of '{name}'")
    order = sorted(plan, key=lambda name: (-DTYPE_SIZES[plan[name].dtype], name))
    with replacing(path, overwrite=overwrite) as file:
        file.write(_header(plan, order, metadata))
        write_tensors(file, path, plan, order, read, progress)


def write_tensors(
    file: BinaryIO, path: Path, plan: Mapping[str, Planned], order: list[str], read: Read, progress: Progress | None = None
) -> None:
    """The bytes of the tensors in order; raises WriteFailed when one is not what was planned."""
    total, done = max(sum(tensor.size for tensor in plan.values()), 1), 0
    for name in order:
        tensor = read(name)
        if Planned(dtype_name(tensor.dtype), tuple(tensor.shape)) != plan[name]:
            raise WriteFailed(path, f"was given up: '{name}' changed while it was read")
        file.write(raw_bytes(tensor))
        done += plan[name].size
        del tensor
        if progress is not None:
            progress(done / total)


def raw_bytes(tensor: torch.Tensor) -> memoryview:
    """A CPU tensor's elements as little-endian bytes, without a copy where it is contiguous."""
    import torch

    flat = tensor.contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")


@contextlib.contextmanager
def replacing(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A file that appears under `path` when the block ends well, and leaves nothing behind when it does not.

    Raises AlreadyThere, or WriteFailed for an OSError.
    """
    draft: Path | None = None
    try:
        if path.exists() and not overwrite:
            raise AlreadyThere(path, "is there already; choose another name or allow overwriting")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        draft = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _publish(draft, path, overwrite)
    except OSError as error:
        raise WriteFailed(path, _why(path, error)) from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path, overwrite: bool) -> None:
    """Give the finished draft its name; without `overwrite` a file that appeared meanwhile is kept."""
    os.chmod(draft, 0o666 & ~_umask())
    if overwrite:
        os.replace(draft, path)
        return
    try:
        os.link(draft, path)
    except FileExistsError as error:
        raise AlreadyThere(path, "is there already; choose another name or allow overwriting") from error
    except OSError:  # a file system without hard links
        if path.exists():
            raise AlreadyThere(path, "is there already; choose another name or allow overwriting") from None
        os.replace(draft, path)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _why(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return f"was not written: the disk of '{path.parent}' is full; make room and try again"
    return f"was not written ({reason(error)}); check the folder '{path.parent}'"


def _header(plan: Mapping[str, Planned], order: list[str], metadata: Mapping[str, str] | None) -> bytes:
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name in order:
        tensor = plan[name]
        entries[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [at, at + tensor.size]}
        at += tensor.size
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text
