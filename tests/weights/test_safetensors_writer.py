from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from modules.weights import safetensors_writer
from modules.weights.errors import TruncatedFile
from modules.weights.header import DTYPE_SIZES
from modules.weights.mapped import TORCH_DTYPES
from modules.weights.safetensors_file import TensorFile
from modules.weights.safetensors_writer import AlreadyThere, Planned, WriteFailed, dtype_name, write_safetensors

STATE = {
    "b.half": torch.arange(6.0).half().reshape(2, 3), "a.byte": torch.arange(3, dtype=torch.uint8), "empty": torch.zeros(0, 4),
    "scalar": torch.tensor(2.5), "transposed": torch.arange(6.0).reshape(2, 3).T, "ü": torch.tensor([1, 2]),
    "double": torch.zeros(2).double(),
}  # fmt: skip


def plan_of(state: dict[str, Tensor]) -> dict[str, Planned]:
    return {name: Planned(dtype_name(tensor.dtype), tuple(tensor.shape)) for name, tensor in state.items()}


def write(path: Path, state: dict[str, Tensor], metadata: dict[str, str] | None = None, *, overwrite: bool = False) -> None:
    write_safetensors(path, plan_of(state), state.__getitem__, metadata, overwrite=overwrite)


def test_the_library_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write(path, STATE, {"note": 'quotes " and ünïcode'})
    found = load_file(path)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in STATE.items())
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"note": 'quotes " and ünïcode'}
    with TensorFile.open(path) as file:
        assert file.metadata == {"note": 'quotes " and ünïcode'}


@pytest.mark.parametrize("dtype", [key for key in DTYPE_SIZES if hasattr(torch, TORCH_DTYPES[key])])
def test_every_dtype_comes_back(tmp_path: Path, dtype: str) -> None:
    tensor = (torch.arange(32, dtype=torch.uint8) % 2).view(getattr(torch, TORCH_DTYPES[dtype]))
    path = tmp_path / "x.safetensors"
    write(path, {"a": tensor})
    with TensorFile.open(path) as file:
        assert torch.equal(file.read("a").view(torch.uint8), tensor.view(torch.uint8))


def test_the_file_is_the_librarys_own_byte_for_byte(tmp_path: Path) -> None:
    state = {name: tensor.contiguous() for name, tensor in STATE.items() if name.isascii()}
    write(tmp_path / "ours.safetensors", state, {"format": "pt"})
    save_file(state, tmp_path / "theirs.safetensors", {"format": "pt"})
    assert (tmp_path / "ours.safetensors").read_bytes() == (tmp_path / "theirs.safetensors").read_bytes()


def test_tensors_are_asked_for_one_by_one(tmp_path: Path) -> None:
    asked: list[str] = []
    progress: list[float] = []

    def read(name: str) -> Tensor:
        asked.append(name)
        return STATE[name]

    write_safetensors(tmp_path / "x.safetensors", plan_of(STATE), read, progress=progress.append)
    assert sorted(asked) == sorted(STATE)
    assert progress == sorted(progress) and progress[-1] == 1.0


def test_what_is_there_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"mine")
    with pytest.raises(AlreadyThere):
        write(path, STATE)
    assert path.read_bytes() == b"mine"
    write(path, STATE, overwrite=True)
    assert load_file(path).keys() == STATE.keys()


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"

    def read(name: str) -> Tensor:
        path.write_bytes(b"somebody else's")
        return STATE[name]

    with pytest.raises(AlreadyThere):
        write_safetensors(path, plan_of(STATE), read)
    assert path.read_bytes() == b"somebody else's" and len(list(tmp_path.iterdir())) == 1


def failing(code: int) -> Callable[[int], None]:
    def fail(_file: int) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(("code", "message"), [(errno.ENOSPC, "is full; make room"), (errno.EIO, "check the folder")])
def test_a_failing_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"mine")
    monkeypatch.setattr(safetensors_writer.os, "fsync", failing(code))
    with pytest.raises(WriteFailed, match=message):
        write(path, STATE, overwrite=True)
    assert path.read_bytes() == b"mine" and len(list(tmp_path.iterdir())) == 1


def test_an_error_while_reading_goes_through_and_leaves_nothing(tmp_path: Path) -> None:
    def read(_name: str) -> Tensor:
        raise TruncatedFile("a", "became shorter")

    with pytest.raises(TruncatedFile):
        write_safetensors(tmp_path / "x.safetensors", plan_of(STATE), read)
    assert list(tmp_path.iterdir()) == []


def test_a_tensor_that_is_not_as_planned_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(WriteFailed, match="changed while it was read"):
        write_safetensors(tmp_path / "x.safetensors", {"a": Planned("F32", (2,))}, lambda _: torch.zeros(3))
    with pytest.raises(WriteFailed, match="no C128"):
        write(tmp_path / "x.safetensors", {"a": torch.zeros(1, dtype=torch.complex128)})
    assert list(tmp_path.iterdir()) == []


def test_the_file_has_the_usual_permissions(tmp_path: Path) -> None:
    write(tmp_path / "x.safetensors", STATE)
    (tmp_path / "plain").write_bytes(b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("x.safetensors", "plain")]
    assert modes[0] == modes[1]
