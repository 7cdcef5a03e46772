"""Packing a recording and finding it again."""

from __future__ import annotations

import base64
import hashlib
import json
import lzma
import tarfile
from collections.abc import Iterator
from pathlib import Path

import golden_data
import pytest

from tools import pack_goldens


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A small recording: two plain files and two weight files that share bytes of the pool."""
    source = tmp_path / "recording"
    for name in ("pure/a.json", "pure/deep/b.json", "traces/c.npz"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    pool = b"unused" + b"shared bytes" + b"own"
    one = b"head" + pool[6:18]
    two = pool[6:18] + pool[18:]
    packed = {
        "models/one.safetensors": entry(one, [base64.b64encode(b"head").decode(), [6, 12]]),
        "models/two.safetensors": entry(two, [[6, 12], [18, 3]]),
    }
    (source / "models" / "plain").mkdir(parents=True)
    (source / "models" / "plain" / "styles.csv").write_text("name,prompt\n")
    (source / "models" / "pool.bin.xz").write_bytes(lzma.compress(pool))
    (source / "models" / "manifest.json").write_text(json.dumps({"packed": packed, "plain": ["styles.csv"]}))
    return source


def entry(data: bytes, pieces: list[object]) -> dict[str, object]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pieces": pieces}


@pytest.fixture
def packed(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with packed goldens, and no full recording beside the checkout."""
    folder = tmp_path / "packed"
    folder.mkdir()
    (folder / "slice.txt").write_text("pure/**  # with all below\nweights:models/two.*\nweights:styles.csv\n")
    pack_goldens.pack(folder / "slice.txt", recording)
    monkeypatch.setattr(golden_data, "FULL", tmp_path / "nowhere")
    monkeypatch.setattr(golden_data, "PACKED", folder)
    monkeypatch.setattr(golden_data, "UNPACKED", folder / "unpacked")
    golden_data._roots.cache_clear()
    golden_data._data_folder.cache_clear()
    yield folder
    golden_data._roots.cache_clear()
    golden_data._data_folder.cache_clear()


def test_packed_files_are_found_and_missing_ones_skip(packed: Path) -> None:
    assert golden_data.golden("pure", "deep", "b.json").read_text() == "pure/deep/b.json"
    assert golden_data.golden("pure", "a.json").read_text() == "pure/a.json"
    with pytest.raises(pytest.skip.Exception, match=r"traces/c\.npz"):
        golden_data.golden("traces", "c.npz")


def test_weights_keep_their_bytes(packed: Path) -> None:
    folder = golden_data.data_folder("models/two.safetensors", "styles.csv")
    assert (folder / "models" / "two.safetensors").read_bytes() == b"shared bytesown"
    with pytest.raises(pytest.skip.Exception, match="one"):
        golden_data.data_folder("models/one.safetensors")
    assert golden_data.data_folder() == folder


def test_damaged_weights_are_noticed(recording: Path, tmp_path: Path) -> None:
    (recording / "models" / "pool.bin.xz").write_bytes(lzma.compress(b"unused" + b"shared BYTES" + b"own"))
    with pytest.raises(ValueError, match="SHA-256"):
        golden_data.unpack_models(recording / "models", tmp_path / "out")


def test_packing_twice_gives_the_same_bytes(packed: Path, recording: Path) -> None:
    first = (packed / "slice.tar.xz").read_bytes()
    assert pack_goldens.pack(packed / "slice.txt", recording).read_bytes() == first


def test_a_pattern_that_names_nothing_is_a_mistake(recording: Path) -> None:
    with pytest.raises(ValueError, match="pure/nix"):
        pack_goldens.chosen_files(recording, ["pure/nix*"])


def test_an_archive_cannot_write_outside(tmp_path: Path) -> None:
    archive = tmp_path / "evil.tar.xz"
    (tmp_path / "file").write_text("evil")
    with tarfile.open(archive, "w:xz") as members:
        members.add(tmp_path / "file", "../escaped")
        members.add(tmp_path / "file", "fine")
    golden_data._unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "fine").exists()
    assert not (tmp_path / "escaped").exists()


def test_a_lock_left_behind_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden_data, "LOCK_SECONDS", 0.0)
    (tmp_path / "folder.lock").touch()
    made = golden_data._once(tmp_path / "folder", lambda draft: draft.mkdir())
    assert made.is_dir()
    assert not (tmp_path / "folder.lock").exists()
