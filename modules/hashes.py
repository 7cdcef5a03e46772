"""Hashes of files, remembered between runs (platform.md §4.14)."""

from __future__ import annotations

import os
from typing import IO

from modules.extend import host
from modules.weights import hashes as _hashes


def _cache() -> str:
    return str(host.current().engine.paths.cache)


def sha256(filename: str, title: str, use_addnet_hash: bool = False) -> str | None:
    """The SHA-256 of a file, with `use_addnet_hash` of its tensors alone; None with `--no-hashing`, and for a missing file."""
    if getattr(host.current().flags, "no_hashing", False) or not os.path.isfile(filename):
        return None
    return _hashes.tensors_sha256_of(filename, _cache()) if use_addnet_hash else _hashes.sha256_of(filename, _cache())


def sha256_from_cache(filename: str, title: str, use_addnet_hash: bool = False) -> str | None:
    """The SHA-256 of a file if it is known already."""
    return None if use_addnet_hash or not os.path.isfile(filename) else _hashes.cached_sha256(filename, _cache())


def calculate_sha256(filename: str) -> str:
    """The SHA-256 of a file, computed now."""
    return _hashes.sha256_of(filename)


def addnet_hash_safetensors(b: IO[bytes]) -> str:
    """The SHA-256 of an open safetensors file without its header."""
    import hashlib

    b.seek(0)
    b.seek(8 + int.from_bytes(b.read(8), "little"))
    digest = hashlib.sha256()
    for block in iter(lambda: b.read(1 << 20), b""):
        digest.update(block)
    return digest.hexdigest()
