"""The record of a running job: what the networks answered, so that a job cut off by a crash goes on where it stopped.

Samplers are pure functions. Started again from their first step with the recorded answers they come, without touching a
network, to the same place bit for bit, whatever state they keep inside.

File: `MAGIC`, the fingerprint (its length as 32 bits, UTF-8), then records: two 32-bit lengths, the CRC-32 of what
follows, a JSON head (`key`, and `dtype` and `shape` or `value`), the raw numbers. Numbers are little-endian. A record
that was cut off ends the file; what comes after the last whole one is cut away before more is added.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

log = logging.getLogger(__name__)
MAGIC = b"EASELJ1\n"
LENGTHS = struct.Struct("<III")
LARGEST_HEAD = 1 << 20
LARGEST_RECORD = 1 << 30


class Journal:
    """Answers kept for one job; `recall` takes one from the file or works it out and keeps it.

    path: the file, None for a job that keeps nothing. fingerprint: what all answers depend on; a file with another
    one is of no use and begun anew. limit: bytes the file may take; beyond them nothing more is kept.
    A file that cannot be written is given up with a word in the log, the job goes on.
    """

    def __init__(self, path: Path | None, fingerprint: str = "", *, limit: int = 1 << 28) -> None:
        self.path = path
        self.computed = 0
        self.replayed = 0
        self.runs = 0
        self._fingerprint = fingerprint.encode()
        self._room = limit
        self._index: dict[str, tuple[int, dict[str, Any], int]] = {}
        self._file: IO[bytes] | None = None
        self._pending: tuple[str, Tensor, Any] | None = None
        if path is not None:
            self._open(path)

    def begin_run(self) -> int:
        """Count one more run of the pipeline within the job (a script may start many); its number from 0."""
        self.runs += 1
        return self.runs - 1

    def evaluation(self, key: str, compute: Callable[[], Tensor], device: torch.device | None = None) -> Tensor:
        """`recall` for an answer of the denoising network, counted in `replayed` and `computed`."""
        known = key in self._index
        answer = self.recall(key, compute, device)
        if known:
            self.replayed += 1
        else:
            self.computed += 1
        return answer

    def recall(self, key: str, compute: Callable[[], Tensor], device: torch.device | None = None) -> Tensor:
        """The tensor kept under `key`, else what `compute` returns, which is kept."""
        if (kept := self._read(key)) is not None:
            tensor = _tensor(*kept)
            return tensor if device is None else tensor.to(device)
        tensor = compute()
        self._keep(key, tensor)
        return tensor

    def note(self, key: str, value: Any) -> None:
        """Keep a small value that JSON can hold."""
        self._flush()
        self._append({"key": key, "value": value}, b"")

    def noted(self, key: str) -> Any:
        """The value noted under `key`, None if there is none."""
        found = self._index.get(key)
        return None if found is None else found[1].get("value")

    def close(self) -> None:
        """Write what is left; the file stays, so that the job can go on another time."""
        self._flush()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def delete(self) -> None:
        """The job is over: remove the file."""
        self._pending = None
        self.close()
        self._index.clear()
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)

    def _open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if path.exists() else "w+b")
            end = self._scan()
            if end is None:
                if self._file.seek(0, os.SEEK_END):
                    log.warning("what was recorded of the job does not fit any more (settings, model or program changed); it starts anew")
                self._index.clear()
                end = self._begin()
            self._file.truncate(end)
            self._file.seek(end)
            self._room -= end
        except OSError as error:
            self._give_up(error)

    def _begin(self) -> int:
        assert self._file is not None
        self._file.seek(0)
        self._file.write(MAGIC + struct.pack("<I", len(self._fingerprint)) + self._fingerprint)
        self._file.flush()
        return self._file.tell()

    def _scan(self) -> int | None:
        """Read the index; the end of the last whole record, None where the file is not this job's."""
        assert self._file is not None
        file = self._file
        head = MAGIC + struct.pack("<I", len(self._fingerprint)) + self._fingerprint
        if file.read(len(head)) != head:
            return None
        end = file.tell()
        while (record := _next_record(file)) is not None:
            meta, offset, size = record
            self._index[meta["key"]] = (offset, meta, size)
            end = file.tell()
        return end

    def _read(self, key: str) -> tuple[dict[str, Any], bytes] | None:
        found = self._index.get(key)
        if found is None or self._file is None:
            return None
        offset, meta, size = found
        try:
            self._file.seek(offset)
            content = self._file.read(size)
            self._file.seek(0, os.SEEK_END)
        except OSError as error:
            self._give_up(error)
            return None
        return (meta, content) if len(content) == size else None

    def _keep(self, key: str, tensor: Tensor) -> None:
        """Take the tensor from its device without waiting for it; it is written when the next one comes."""
        self._flush()
        if self._file is None:
            return
        if tensor.device.type == "cuda":
            import torch

            copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            copy.copy_(tensor, non_blocking=True)
            done = torch.cuda.Event()
            done.record()
            self._pending = (key, copy, done)
        else:
            self._write(key, tensor.cpu())

    def _flush(self) -> None:
        if self._pending is not None:
            key, tensor, done = self._pending
            self._pending = None
            done.synchronize()
            self._write(key, tensor)

    def _write(self, key: str, tensor: Tensor) -> None:
        import torch

        head = {"key": key, "dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape)}
        self._append(head, tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")

    def _append(self, head: dict[str, Any], content: bytes) -> None:
        if self._file is None:
            return
        text = json.dumps(head).encode()
        size = LENGTHS.size + len(text) + len(content)
        if size > self._room:
            return
        try:
            start = self._file.tell()
            self._file.write(LENGTHS.pack(len(text), len(content), _checksum(text, content)) + text + content)
            self._file.flush()
        except OSError as error:
            self._give_up(error)
            return
        self._room -= size
        self._index[head["key"]] = (start + LENGTHS.size + len(text), head, len(content))

    def _give_up(self, error: OSError) -> None:
        log.warning("the journal '%s' cannot be written (%s): this job would start anew after a crash", self.path, error.strerror or error)
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()


def _next_record(file: IO[bytes]) -> tuple[dict[str, Any], int, int] | None:
    lengths = file.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head_size, size, checksum = LENGTHS.unpack(lengths)
    if head_size > LARGEST_HEAD or size > LARGEST_RECORD:
        return None
    text = file.read(head_size)
    offset = file.tell()
    content = file.read(size)
    if not text or len(content) < size or _checksum(text, content) != checksum:
        return None
    head = json.loads(text)
    return (head, offset, size) if isinstance(head, dict) and isinstance(head.get("key"), str) else None


def _checksum(text: bytes, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(text))


def _tensor(head: dict[str, Any], content: bytes) -> Tensor:
    import torch

    dtype = getattr(torch, head["dtype"])
    if not content:
        return torch.empty(head["shape"], dtype=dtype)
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).view(dtype).reshape(head["shape"])
