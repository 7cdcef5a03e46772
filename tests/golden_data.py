"""Where the recorded answers ("goldens") are found, for every test that compares with them.

Two sources, in this order: a full recording in `../shared/golden` beside the checkout, else the parts of it that are
packed in `tests/golden/*.tar.xz` (tools/pack_goldens.py). A file that neither holds skips the test that asks for it.
What is unpacked lies under `tests/golden/unpacked/` (ignored by git) and is read-only by convention.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import lzma
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
FULL = TESTS.parent.parent / "shared" / "golden"
PACKED = TESTS / "golden"
UNPACKED = PACKED / "unpacked"
LOCK_SECONDS = 180.0
LINK_FROM_BYTES = 1_000_000


def golden(*parts: str) -> Path:
    """The recorded file or folder `parts` (as `golden("pure", "hashes.json")`); skips the test where there is none."""
    for root in _roots():
        path = root.joinpath(*parts)
        if path.exists():
            return path
    pytest.skip(f"golden {'/'.join(parts)} is neither in {FULL} nor packed")


def data_folder(*needed: str) -> Path:
    """A data folder (`--data-dir`) with the tiny checkpoints, LoRAs, embeddings and styles; do not write into it.

    `needed` are paths inside it, as `models/Stable-diffusion/tiny-sdxl.safetensors`; the test is skipped where the
    packed goldens lack one of them. The fixture `tiny_data` gives a copy that may be written into.
    """
    folder = _data_folder()
    for name in needed:
        if not (folder / name).exists():
            pytest.skip(f"no {name} among the packed goldens")
    return folder


def link_tree(source: Path, target: Path) -> None:
    """Copy the folder `source` to `target`; files of 1 MB and more are hard links, so replace them, never edit them."""
    for file in source.rglob("*"):
        if file.is_file():
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if file.stat().st_size < LINK_FROM_BYTES or not _hard_link(file, copy):
                shutil.copyfile(file, copy)


def _hard_link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


@functools.cache
def _roots() -> tuple[Path, ...]:
    roots = [FULL] if FULL.is_dir() else []
    for archive in sorted(PACKED.glob("*.tar.xz")):
        roots.append(_once(UNPACKED / f"{archive.name.split('.')[0]}-{_digest(archive)}", functools.partial(_unpack, archive)))
    return tuple(roots)


def all_of(*parts: str) -> list[Path]:
    """The recorded file or folder `parts` in the full recording, or in every archive that holds a part of it."""
    found = [path for root in _roots() if (path := root.joinpath(*parts)).exists()]
    return found[:1] if FULL.is_dir() else found


@functools.cache
def _data_folder() -> Path:
    manifests = all_of("models", "manifest.json")
    if not manifests:
        pytest.skip("no tiny checkpoints are packed")

    def unpack_all(target: Path) -> None:
        for manifest in manifests:
            unpack_models(manifest.parent, target)

    return _once(UNPACKED / f"data-{'-'.join(_digest(manifest) for manifest in manifests)}", unpack_all)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """`folder`, filled by `fill` if it is not there yet; several test processes may ask at the same time."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not folder.is_dir():
            draft = folder.with_name(f"{folder.name}.{os.getpid()}")
            shutil.rmtree(draft, ignore_errors=True)
            try:
                fill(draft)
                draft.rename(folder)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                if not folder.is_dir():  # else another process outlived the lock's patience and was first
                    raise
    return folder


@contextlib.contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Hold `lock`; one left behind by a killed run is taken over after a while. Only saves work: renaming is atomic."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            if time.monotonic() > end or _age(lock) > LOCK_SECONDS:
                break
            time.sleep(0.1)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _unpack(archive: Path, target: Path) -> None:
    target.mkdir(parents=True)
    with tarfile.open(archive, "r:xz") as members:
        for member in members:
            path = (target / member.name).resolve()
            content = members.extractfile(member) if member.isfile() else None
            if content is None or target.resolve() not in path.parents:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with content, path.open("wb") as file:
                shutil.copyfileobj(content, file)


def unpack_models(source: Path, target: Path) -> None:
    """Write the weight files described by `source/manifest.json` below `target`, byte for byte.

    The files share tensors, so the bytes lie once in `pool.bin.xz`; a file is a list of pieces, each either base64
    text or (offset, length) in the pool. Raises ValueError when a file's SHA-256 is not the manifest's.
    """
    manifest = json.loads((source / "manifest.json").read_text("utf-8"))
    pool = memoryview(lzma.decompress((source / "pool.bin.xz").read_bytes()))
    for name, entry in manifest["packed"].items():
        _write_pieces(target / name, entry, pool)
    for name in manifest["plain"]:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / "plain" / name, target / name)


def _write_pieces(path: Path, entry: dict, pool: memoryview) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for piece in entry["pieces"]:
            data = base64.b64decode(piece) if isinstance(piece, str) else pool[piece[0] : piece[0] + piece[1]]
            digest.update(data)
            file.write(data)
    if digest.hexdigest() != entry["sha256"]:
        raise ValueError(f"{path.name}: its SHA-256 is not the one in the manifest")
