from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from weights.weight_files import entry, raw_file

from modules.weights.errors import EmptyFile, NotWeights, TruncatedFile, UnreadableFile
from modules.weights.header import DTYPE_SIZES
from modules.weights.mapped import TORCH_DTYPES
from modules.weights.safetensors_file import TensorFile

DTYPES = [getattr(torch, TORCH_DTYPES[key]) for key in DTYPE_SIZES if hasattr(torch, TORCH_DTYPES[key]) and key != "F8_E8M0"]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_reads_what_was_written(tmp_path: Path, dtype: torch.dtype) -> None:
    raw = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    tensors = {"a": raw.to(dtype), "scalar": torch.tensor(1.0).to(dtype), "none": torch.zeros(0, 5).to(dtype)}
    save_file(tensors, tmp_path / "x.safetensors")
    with TensorFile.open(tmp_path / "x.safetensors") as file:
        assert set(file.keys()) == set(tensors)
        for key, tensor in tensors.items():
            read = file.read(key)
            assert read.dtype == dtype and read.shape == tensor.shape
            assert read.contiguous().view(-1).view(torch.uint8).tolist() == tensor.contiguous().view(-1).view(torch.uint8).tolist()


@pytest.mark.parametrize("target", [torch.float32, torch.float16, torch.bfloat16])
def test_converts_on_reading(tmp_path: Path, target: torch.dtype) -> None:
    values = torch.tensor([0.1, -2.5, 70000.0])
    save_file({"a": values}, tmp_path / "x.safetensors")
    with TensorFile.open(tmp_path / "x.safetensors") as file:
        assert torch.equal(file.read("a", target), values.to(target))


def test_tensors_that_lie_at_odd_offsets(tmp_path: Path) -> None:
    data = b"\x07" + torch.tensor([1.5, -2.0]).numpy().tobytes()
    path = raw_file(tmp_path / "x.safetensors", {"odd": entry(0, 1), "f": entry(1, 9, "F32", [2])}, data)
    with TensorFile.open(path) as file:
        assert file.read("odd").tolist() == [7]
        assert file.read("f").tolist() == [1.5, -2.0]


def test_a_tensor_beyond_the_first_pages(tmp_path: Path) -> None:
    tensors = {"a": torch.zeros(70_001, dtype=torch.uint8), "b": torch.arange(5000, dtype=torch.float64)}
    save_file(tensors, tmp_path / "x.safetensors")
    with TensorFile.open(tmp_path / "x.safetensors") as file:
        assert torch.equal(file.read("b"), tensors["b"])


def test_what_was_read_outlives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.arange(10.0)}, path)
    with TensorFile.open(path) as file:
        tensor = file.read("a")
    path.write_bytes(b"\0" * path.stat().st_size)
    tensor += 1
    assert tensor.tolist() == list(range(1, 11))


def test_the_file_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.arange(10.0)}, path)
    before = path.read_bytes()
    with TensorFile.open(path) as file:
        file.read("a").zero_()
    assert path.read_bytes() == before


def test_a_file_that_shrinks_while_open_is_an_error_not_a_crash(tmp_path: Path) -> None:
    path = raw_file(tmp_path / "x.safetensors", {"a": entry(0, 100_000)}, bytes(100_000))
    with TensorFile.open(path) as file:
        os.truncate(path, 5000)
        with pytest.raises(TruncatedFile, match="became shorter"):
            file.read("a")


def test_metadata_and_shapes(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2, 3)}, tmp_path / "x.safetensors", {"ss_tag": "1"})
    with TensorFile.open(tmp_path / "x.safetensors") as file:
        assert file.metadata == {"ss_tag": "1"}
        assert file.shapes == {"a": (2, 3)}


def test_an_unknown_key_is_a_key_error(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    with TensorFile.open(tmp_path / "x.safetensors") as file, pytest.raises(KeyError):
        file.read("b")


def test_messages_name_file_and_cure(tmp_path: Path) -> None:
    path = raw_file(tmp_path / "big.safetensors", {"a": entry(0, 4_300_000_000)}, bytes(1000))
    with path.open("r+b") as file:
        file.truncate(1_200_000_000)
    with pytest.raises(TruncatedFile) as caught:
        TensorFile.open(path, kind="checkpoint")
    assert str(caught.value) == "checkpoint 'big.safetensors' is truncated: 1.2 GB of 4.3 GB; download it again"
    assert caught.value.path == path


def test_nearly_complete_says_how_much_is_missing(tmp_path: Path) -> None:
    path = raw_file(tmp_path / "x.safetensors", {"a": entry(0, 5_000_000)}, bytes(4_999_990))
    with pytest.raises(TruncatedFile, match=r"10 bytes of 5\.0 MB are missing"):
        TensorFile.open(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="not there"):
        TensorFile.open(tmp_path / "none.safetensors")
    with pytest.raises(UnreadableFile, match="regular file"):
        TensorFile.open(tmp_path)
    with pytest.raises(UnreadableFile):
        TensorFile.open("a\0b.safetensors")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.safetensors")
    with pytest.raises(UnreadableFile, match="regular file"):
        TensorFile.open(tmp_path / "x.safetensors")


def test_small_files(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"")
    with pytest.raises(EmptyFile, match="is empty; download it again"):
        TensorFile.open(path)
    path.write_bytes(b"hello")
    with pytest.raises(NotWeights, match="is text"):
        TensorFile.open(path)
    path.write_bytes(b"\x01\0\0")
    with pytest.raises(TruncatedFile, match="3 bytes"):
        TensorFile.open(path)
