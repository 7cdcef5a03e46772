from __future__ import annotations

from pathlib import Path

import pytest
import torch
from attacks.hostile_calls import CALLS
from safetensors.torch import load_file

import webui
from modules.weights.safetensors_file import TensorFile


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    state = {"model.w": torch.rand(3, 4), "model_ema.w": torch.rand(3, 4), "model.n": torch.tensor([1, 2]), "model.h": torch.rand(2).half()}
    torch.save({"state_dict": state, "global_step": 7, "epoch": 1, "lr_schedulers": [{}]}, tmp_path / "x.ckpt")
    return tmp_path / "x.ckpt"


def test_it_writes_the_twin_beside_the_file(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert webui.main(["convert", str(checkpoint)]) == 0
    assert "x.safetensors (4 tensors)" in capsys.readouterr().out
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    found = load_file(checkpoint.with_suffix(".safetensors"))
    assert found.keys() == state.keys() and all(torch.equal(found[key], state[key]) for key in state)
    with TensorFile.open(checkpoint.with_suffix(".safetensors")) as file:
        assert file.metadata == {"format": "pt", "global_step": "7", "epoch": "1"}


def test_half_and_no_ema(checkpoint: Path, tmp_path: Path) -> None:
    assert webui.main(["convert", str(checkpoint), str(tmp_path / "sub" / "y.safetensors"), "--half", "--no-ema", "-q"]) == 0
    found = load_file(tmp_path / "sub" / "y.safetensors")
    assert {key: tensor.dtype for key, tensor in found.items()} == {
        "model.w": torch.float16,
        "model.n": torch.int64,
        "model.h": torch.float16,
    }


def test_metadata_of_a_safetensors_file_are_kept(checkpoint: Path, tmp_path: Path) -> None:
    webui.main(["convert", str(checkpoint), "-q"])
    first = checkpoint.with_suffix(".safetensors")
    assert webui.main(["convert", str(first), str(tmp_path / "z.safetensors"), "-q"]) == 0
    with TensorFile.open(tmp_path / "z.safetensors") as file:
        assert file.metadata["global_step"] == "7"


def test_an_existing_file_is_kept_unless_told_otherwise(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = checkpoint.with_suffix(".safetensors")
    target.write_bytes(b"mine")
    assert webui.main(["convert", str(checkpoint)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert target.read_bytes() == b"mine"
    assert webui.main(["convert", str(checkpoint), "--overwrite", "-q"]) == 0


def test_a_hostile_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.ckpt"
    path.write_bytes(CALLS[0].content)
    assert webui.main(["convert", str(path)]) == 1
    error = capsys.readouterr().err
    assert "refused" in error and "Nothing of it was run" in error and "Traceback" not in error
    assert [file.name for file in tmp_path.iterdir()] == ["evil.ckpt"]


def test_a_missing_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert webui.main(["convert", str(tmp_path / "no.ckpt")]) == 1
    assert "is not there" in capsys.readouterr().err
