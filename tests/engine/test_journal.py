"""The journal: what was kept comes back exactly, and nothing else is taken for it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from modules.engine.journal import Journal  # noqa: E402

NULL_RECORD = struct.pack("<III", 4, 0, zlib.crc32(b"null")) + b"null"


def never() -> torch.Tensor:
    raise AssertionError("this was recorded and must not be worked out again")


def kept(path: Path, fingerprint: str = "f", **values: int) -> Journal:
    return Journal(path, fingerprint, **values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.int64, torch.bool])
def test_tensors_come_back_exactly(tmp_path: Path, dtype: torch.dtype) -> None:
    tensor = (torch.arange(24).reshape(2, 3, 4) * 17 % 251).to(dtype).transpose(0, 2)
    first = kept(tmp_path / "j")
    assert first.recall("a", lambda: tensor) is tensor
    first.close()
    again = kept(tmp_path / "j").recall("a", never)
    assert again.dtype == dtype and again.shape == tensor.shape and torch.equal(again, tensor)


def test_odd_shapes_and_odd_numbers(tmp_path: Path) -> None:
    tensors = {"scalar": torch.tensor(1.5), "empty": torch.empty(0, 4), "nan": torch.tensor([float("nan"), float("-inf"), -0.0])}
    first = kept(tmp_path / "j")
    for key, tensor in tensors.items():
        first.recall(key, lambda tensor=tensor: tensor)
    first.close()
    second = kept(tmp_path / "j")
    for key, tensor in tensors.items():
        again = second.recall(key, never)
        assert again.shape == tensor.shape
        assert again.numpy().tobytes() == tensor.numpy().tobytes()


def test_evaluations_are_counted(tmp_path: Path) -> None:
    first = kept(tmp_path / "j")
    for step in range(3):
        first.evaluation(f"0/0/first/{step}", lambda: torch.ones(1))
    first.close()
    second = kept(tmp_path / "j")
    for step in range(5):
        second.evaluation(f"0/0/first/{step}", lambda: torch.ones(1))
    assert (first.computed, first.replayed, second.computed, second.replayed) == (3, 0, 2, 3)


def test_notes_come_back(tmp_path: Path) -> None:
    first = kept(tmp_path / "j")
    first.note("file", {"path": "ä.png"})
    assert first.noted("file") == {"path": "ä.png"} and first.noted("other") is None
    first.close()
    assert kept(tmp_path / "j").noted("file") == {"path": "ä.png"}


def filled(path: Path, count: int = 3) -> bytes:
    journal = kept(path)
    for step in range(count):
        journal.recall(str(step), lambda step=step: torch.full((8,), float(step)))
    journal.close()
    return path.read_bytes()


def test_a_file_cut_off_anywhere_keeps_its_whole_records_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "j"
    content = filled(path)
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        journal = kept(path)
        fresh: list[int] = []

        def compute(step: int, fresh: list[int] = fresh) -> torch.Tensor:
            fresh.append(step)
            return torch.full((8,), float(step))

        for step in range(3):
            assert torch.equal(journal.recall(str(step), lambda step=step: compute(step)), torch.full((8,), float(step)))
        journal.close()
        assert fresh == list(range(3 - len(fresh), 3))
        assert path.read_bytes() == content


def test_one_wrong_bit_ends_the_record_there(tmp_path: Path) -> None:
    path = tmp_path / "j"
    content = bytearray(filled(path))
    content[-40] ^= 1  # in the numbers of the last record
    path.write_bytes(content)
    journal = kept(path)
    assert torch.equal(journal.recall("1", never), torch.ones(8))
    assert torch.equal(journal.recall("2", lambda: torch.zeros(8)), torch.zeros(8))


@pytest.mark.parametrize("junk", [b"\xff" * 12, b"\0" * 12, b"\0" * 12 + b"null", NULL_RECORD])
def test_junk_behind_the_records_is_cut_away(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "j"
    content = filled(path)
    path.write_bytes(content + junk)
    kept(path).close()
    assert path.read_bytes() == content


def test_another_fingerprint_begins_anew(tmp_path: Path) -> None:
    filled(tmp_path / "j")
    journal = kept(tmp_path / "j", "another")
    assert torch.equal(journal.recall("1", lambda: torch.zeros(8)), torch.zeros(8))
    journal.close()
    assert torch.equal(kept(tmp_path / "j", "another").recall("1", never), torch.zeros(8))


def test_the_size_is_bounded(tmp_path: Path) -> None:
    journal = kept(tmp_path / "j", limit=2000)
    for step in range(100):
        journal.recall(str(step), lambda: torch.zeros(64))
    journal.close()
    assert 0 < (tmp_path / "j").stat().st_size <= 2000
    again = kept(tmp_path / "j", limit=2000)
    again.recall("0", never)
    assert again.noted("99") is None


def test_it_is_gone_when_the_job_is_done(tmp_path: Path) -> None:
    journal = kept(tmp_path / "j")
    journal.recall("a", lambda: torch.ones(1))
    journal.delete()
    assert not (tmp_path / "j").exists()


def test_a_folder_that_cannot_be_written_costs_the_journal_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    journal = kept(tmp_path / "file" / "j")
    assert torch.equal(journal.recall("a", lambda: torch.ones(2)), torch.ones(2))
    assert "would start anew" in caplog.text


class FullDisk:
    """A file on a disk that is full."""

    def __init__(self, file: object) -> None:
        self.file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def write(self, content: bytes) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_costs_the_journal_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = kept(tmp_path / "j")
    journal.recall("a", lambda: torch.ones(2))
    journal._file = FullDisk(journal._file)  # type: ignore[assignment]
    for _ in range(3):
        assert torch.equal(journal.recall("b", lambda: torch.zeros(2)), torch.zeros(2))
    assert "No space left" in caplog.text


def test_no_path_keeps_nothing() -> None:
    journal = Journal(None)
    journal.evaluation("a", lambda: torch.ones(1))
    journal.note("b", 1)
    journal.evaluation("a", lambda: torch.ones(1))
    assert journal.computed == 2 and journal.noted("b") is None
