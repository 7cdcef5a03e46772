"""SHA-256 and A1111's other names for files, remembered between runs; imports no torch."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import threading
from pathlib import Path
from typing import Any, NamedTuple

log = logging.getLogger(__name__)

BLOCK = 1 << 20
OLD_HASH_OFFSET = 0x100000
OLD_HASH_LENGTH = 0x10000
CACHE_NAME = "hashes.json"
VERSION = 1


def sha256_of(path: str | Path, cache: str | Path | None = None) -> str:
    """SHA-256 of a file as 64 hex digits.

    With a `cache` folder the result is looked up and kept there under the file's absolute path, size and mtime.
    Raises OSError when the file cannot be read.
    """
    return _hash_cache(cache).get(Path(path), "sha256", 0) if cache is not None else _digest(Path(path), 0)


def tensors_sha256_of(path: str | Path, cache: str | Path | None = None) -> str:
    """SHA-256 of a safetensors file without its header: the hash of a LoRA, which renaming in its metadata leaves alone.

    Of a file of another suffix it is that of the whole file. Raises OSError when the file cannot be read, ValueError when
    its header is longer than the file.
    """
    path = Path(path)
    if path.suffix.lower() != ".safetensors":
        return sha256_of(path, cache)
    with path.open("rb") as file:
        offset = 8 + int.from_bytes(file.read(8), "little")
    if offset > path.stat().st_size:
        raise ValueError(f"'{path.name}' is no safetensors file")
    return _hash_cache(cache).get(path, "tensors_sha256", offset) if cache is not None else _digest(path, offset)


def cached_sha256(path: str | Path, cache: str | Path) -> str | None:
    """The SHA-256 in the cache folder if it is that of the file as it is now, else None; nothing is computed."""
    return _hash_cache(cache).peek(Path(path), "sha256")


def short_hash(sha256: str, length: int = 10) -> str:
    """The beginning of a hash as shown to people: 10 digits for checkpoints, VAEs and hypernetworks, 12 for LoRAs and embeddings."""
    return sha256[:length]


def old_hash(path: str | Path) -> str:
    """A1111's first model hash: 8 hex digits of the SHA-256 of 64 KiB from the file's second MiB on (less where it ends before).

    Raises OSError when the file cannot be read.
    """
    with Path(path).open("rb") as file:
        file.seek(OLD_HASH_OFFSET)
        return hashlib.sha256(file.read(OLD_HASH_LENGTH)).hexdigest()[:8]


class _State(NamedTuple):
    """What a file looked like when it was hashed."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> _State:
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


class HashCache:
    """Hashes of one cache folder: in memory, and in a JSON file that is replaced as a whole whenever one is added.

    Safe for threads; of two processes writing at the same time one may lose its newest entry, never the file.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / CACHE_NAME
        self._lock = threading.Lock()
        self._computing: dict[str, threading.Lock] = {}
        self._entries: dict[str, dict[str, Any]] = {}
        self._stamp: tuple[int, ...] | None = None

    def peek(self, path: Path, kind: str) -> str | None:
        """The hash of a file if it is known and the file has not changed since."""
        try:
            state = _State.of(path)
        except OSError:
            return None
        with self._lock:
            self._refresh()
            return self._known(path, kind, state)

    def get(self, path: Path, kind: str, offset: int) -> str:
        """The hash of a file from `offset` on, computed if need be; threads that want the same file share one computation."""
        with self._computation(path):
            state = _State.of(path)
            known = self.peek(path, kind)
            if known is not None:
                return known
            value = _digest(path, offset)
            if _State.of(path) == state:
                self._remember(path, kind, state, value)
            return value

    def _computation(self, path: Path) -> threading.Lock:
        with self._lock:
            return self._computing.setdefault(_key(path), threading.Lock())

    def _known(self, path: Path, kind: str, state: _State) -> str | None:
        entry = self._entries.get(_key(path), {})
        if (entry.get("size"), entry.get("mtime_ns")) != state:
            return None
        value = entry.get(kind)
        return value if isinstance(value, str) and len(value) == 64 else None

    def _remember(self, path: Path, kind: str, state: _State, value: str) -> None:
        with self._lock:
            self._refresh()
            key = _key(path)
            old = self._entries.get(key, {})
            kept = old if (old.get("size"), old.get("mtime_ns")) == state else {}
            self._entries[key] = {**kept, **state._asdict(), kind: value}
            try:
                _write_whole(self._file, json.dumps({"version": VERSION, "files": self._entries}, indent=1))
                self._stamp = self._read_stamp()
            except OSError as error:
                log.warning("hashes are not kept: %s cannot be written (%s)", self._file, error.strerror)

    def _refresh(self) -> None:
        """Take over what the file holds if it is not what was read or written last; a broken file counts as empty."""
        stamp = self._read_stamp()
        if stamp is None or stamp == self._stamp:
            return
        self._stamp = stamp
        self._entries = {**self._entries, **_read_entries(self._file)}

    def _read_stamp(self) -> tuple[int, ...] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


_caches: dict[str, HashCache] = {}
_caches_lock = threading.Lock()


def _hash_cache(folder: str | Path) -> HashCache:
    folder = Path(folder)
    with _caches_lock:
        return _caches.setdefault(_key(folder), HashCache(folder))


def _key(path: Path) -> str:
    return os.path.abspath(path)


def _digest(path: Path, offset: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(offset)
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _read_entries(file: Path) -> dict[str, dict[str, Any]]:
    try:
        document = json.loads(file.read_bytes())
        files = document["files"] if document["version"] == VERSION else {}
        return {path: dict(entry) for path, entry in files.items() if isinstance(entry, dict)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        log.warning("%s cannot be read and is begun anew", file)
        return {}


def _write_whole(file: Path, text: str) -> None:
    """Replace the file's content in one step, so that no reader and no crash ever sees half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=file.name + ".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, file)
    except BaseException:
        os.unlink(draft)
        raise
