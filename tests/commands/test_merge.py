from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from weights.weight_files import save, sd1_state

import webui
from modules.weights.loader import load_checkpoint
from modules.weights.safetensors_file import TensorFile


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "Stable-diffusion"
    (folder / "sub").mkdir(parents=True)
    for seed, name in enumerate(("a", "sub/b", "c")):
        torch.manual_seed(seed)
        save(folder / f"{name}.safetensors", sd1_state())
    (folder / "a.yaml").write_text("model: {}\n")
    return tmp_path


def test_two_models_of_the_list(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert webui.main(["merge", "a", "b", "-m", "0.25", "--data-dir", str(data)]) == 0
    path = data / "models" / "Stable-diffusion" / "0.75(a) + 0.25(b).safetensors"
    assert capsys.readouterr().out.strip() == str(path)
    assert path.with_suffix(".yaml").read_text() == "model: {}\n"
    with TensorFile.open(path) as file:
        recipe, models = (json.loads(file.metadata[key]) for key in ("sd_merge_recipe", "sd_merge_models"))
    assert recipe["multiplier"] == 0.25 and recipe["interp_method"] == "Weighted sum"
    assert [model["name"] for model in models.values()] == ["a.safetensors", "sub/b.safetensors"]
    path.with_suffix(".yaml").unlink()
    assert load_checkpoint(path).spec.family == "sd1"


def test_by_path_with_every_option(data: Path) -> None:
    folder = data / "models" / "Stable-diffusion"
    arguments = ["merge", *(str(folder / name) for name in ("a.safetensors", "sub/b.safetensors", "c.safetensors"))]
    arguments += ["--method", "Add difference", "-m", "1", "-o", "result.safetensors", "--half", "--discard", "^first_stage_model"]
    arguments += ["--copy-config", "none", "--metadata", '{"author": "me"}', "--no-recipe", "-q", "--data-dir", str(data)]
    assert webui.main(arguments) == 0
    found = load_file(folder / "result.safetensors")
    assert not any(key.startswith("first_stage_model.") for key in found)
    assert {tensor.dtype for key, tensor in found.items() if "position_ids" not in key} == {torch.float16}
    with TensorFile.open(folder / "result.safetensors") as file:
        assert file.metadata == {"author": "me", "format": "pt"}
    assert not (folder / "result.yaml").exists()


@pytest.mark.parametrize(("arguments", "message"), [(["a", "nobody"], "was not found"), (["a"], "needs a model B")])
def test_mistakes_are_one_sentence(data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert webui.main(["merge", *arguments, "--data-dir", str(data)]) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
