from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from golden_data import data_folder, golden

from modules.weights import hashes


@pytest.fixture(autouse=True)
def fresh_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "_caches", {})


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose bytes were really hashed."""
    names: list[str] = []
    digest = hashes._digest

    def counting(path: Path, offset: int) -> str:
        names.append(path.name)
        return digest(path, offset)

    monkeypatch.setattr(hashes, "_digest", counting)
    return names


def expected(kind: str) -> dict:
    return json.loads(golden("pure", "hashes.json").read_text("utf-8"))[kind]


def test_checkpoints_have_the_recorded_hashes() -> None:
    checked = 0
    for entry in expected("checkpoints"):
        path = data_folder() / "models" / "Stable-diffusion" / entry["name"]
        if path.is_file():
            digest = hashes.sha256_of(path)
            assert (digest, hashes.short_hash(digest)) == (entry["sha256"], entry["shorthash"])
            assert hashes.old_hash(path) == entry["old_hash"]
            checked += 1
    assert checked >= 1


def test_loras_have_the_recorded_hashes() -> None:
    checked = 0
    for name, entry in expected("loras").items():
        path = data_folder() / "models" / "Lora" / f"{name}.safetensors"
        if path.is_file():
            digest = hashes.tensors_sha256_of(path)
            assert (digest, hashes.short_hash(digest, 12)) == (entry["hash"], entry["shorthash"])
            assert hashes.sha256_of(path) == entry["file_sha256"]
            checked += 1
    assert checked >= 1


def test_an_old_hash_of_a_short_file_is_that_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert hashes.old_hash(tmp_path / "x") == hashlib.sha256(b"").hexdigest()[:8]


def test_a_hash_is_computed_once(tmp_path: Path, counted: list[str]) -> None:
    file, cache = tmp_path / "x", tmp_path / "cache"
    file.write_bytes(b"abc")
    assert hashes.cached_sha256(file, cache) is None
    first = hashes.sha256_of(file, cache)
    assert first == hashlib.sha256(b"abc").hexdigest()
    assert hashes.sha256_of(file, cache) == hashes.cached_sha256(file, cache) == first
    hashes._caches.clear()  # as after a restart
    assert hashes.cached_sha256(str(file), str(cache)) == first
    assert counted == ["x"]


@pytest.mark.parametrize("change", ["size", "mtime"])
def test_a_changed_file_is_hashed_again(tmp_path: Path, change: str) -> None:
    file, cache = tmp_path / "x", tmp_path / "cache"
    file.write_bytes(b"abc")
    os.utime(file, ns=(10**18, 10**18))
    hashes.sha256_of(file, cache)
    if change == "size":
        file.write_bytes(b"abcd")
        os.utime(file, ns=(10**18, 10**18))
    else:
        file.write_bytes(b"xyz")
        os.utime(file, ns=(10**18, 10**18 + 1000))
    assert hashes.cached_sha256(file, cache) is None
    assert hashes.sha256_of(file, cache) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_files_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_bytes(folder.encode())
        os.utime(tmp_path / folder / "x", ns=(10**18, 10**18))
    found = {hashes.sha256_of(tmp_path / folder / "x", tmp_path) for folder in ("a", "b")}
    assert len(found) == 2


def test_both_hashes_of_one_file_are_kept(tmp_path: Path, counted: list[str]) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes((2).to_bytes(8, "little") + b"{}")
    for _ in range(2):
        assert hashes.sha256_of(file, tmp_path) == hashlib.sha256(file.read_bytes()).hexdigest()
        assert hashes.tensors_sha256_of(file, tmp_path) == hashlib.sha256(b"").hexdigest()
    assert len(counted) == 2


def test_tensors_of_what_is_no_safetensors_file(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"hello world")
    with pytest.raises(ValueError, match="'x.safetensors' is no safetensors file"):
        hashes.tensors_sha256_of(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b"[" * 90_000]
    + [b'{"version": 1}', b'{"version": 1, "files": [1]}', b'{"version": 1, "files": {"a": 3}}'],
)
def test_a_broken_cache_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    file, cache = tmp_path / "x", tmp_path / "cache"
    file.write_bytes(b"abc")
    cache.mkdir()
    (cache / hashes.CACHE_NAME).write_bytes(content)
    assert hashes.cached_sha256(file, cache) is None
    digest = hashes.sha256_of(file, cache)
    hashes._caches.clear()
    assert hashes.cached_sha256(file, cache) == digest


def test_a_false_entry_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    state = file.stat()
    entry = {"size": state.st_size, "mtime_ns": state.st_mtime_ns, "sha256": ["no", "hash"]}
    (tmp_path / hashes.CACHE_NAME).write_text(json.dumps({"version": 1, "files": {str(file): entry}}))
    assert hashes.cached_sha256(file, tmp_path) is None
    assert hashes.sha256_of(file, tmp_path) == hashlib.sha256(b"abc").hexdigest()


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    file, cache = tmp_path / "x", tmp_path / "cache"
    file.write_bytes(b"abc")
    cache.write_bytes(b"a file where the folder should be")
    assert hashes.sha256_of(file, cache) == hashlib.sha256(b"abc").hexdigest()


def test_nothing_but_the_cache_file_is_left(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    hashes.sha256_of(tmp_path / "x", tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [hashes.CACHE_NAME]


def test_what_another_process_wrote_is_kept(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_bytes(b"1")
    theirs.write_bytes(b"2")
    hashes.sha256_of(ours, tmp_path)
    first = dict(hashes._caches)
    hashes._caches.clear()
    hashes.sha256_of(theirs, tmp_path)
    hashes._caches.clear()
    hashes._caches.update(first)
    assert hashes.cached_sha256(theirs, tmp_path) == hashlib.sha256(b"2").hexdigest()


def test_many_threads_hash_each_file_once(tmp_path: Path, counted: list[str]) -> None:
    files = [tmp_path / f"file{i}" for i in range(4)]
    for file in files:
        file.write_bytes(file.name.encode() * 50_000)
    results: list[str] = []
    start = threading.Barrier(12)

    def work(file: Path) -> None:
        start.wait()
        results.append(hashes.sha256_of(file, tmp_path / "cache"))

    threads = [threading.Thread(target=work, args=(files[i % 4],)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted) == [file.name for file in files]
    assert sorted(results) == sorted(3 * [hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    hashes._caches.clear()
    assert all(hashes.cached_sha256(file, tmp_path / "cache") for file in files)


def test_a_missing_file(tmp_path: Path) -> None:
    assert hashes.cached_sha256(tmp_path / "none", tmp_path) is None
    with pytest.raises(FileNotFoundError):
        hashes.sha256_of(tmp_path / "none", tmp_path)


def test_hashing_imports_no_torch() -> None:
    code = "import sys, modules.weights.hashes, modules.weights.family, modules.weights.errors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], check=False).returncode == 0
