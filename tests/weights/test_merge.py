from __future__ import annotations

import hashlib
import json
import shutil
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from golden_data import data_folder, golden
from safetensors.torch import load_file
from torch import Tensor
from weights.weight_files import save, sd1_state

from modules.weights import hashes
from modules.weights.loader import load_checkpoint
from modules.weights.merge import MergeError, merge
from modules.weights.merge_recipe import Ingredient, MergeRequest
from modules.weights.pickle_file import PickleTensorFile
from modules.weights.safetensors_file import TensorFile
from modules.weights.safetensors_writer import AlreadyThere, WriteFailed

MERGES = ("weighted0.3", "add_diff", "none_half", "discard", "inpaint", "default_name")


def ingredient(path: Path) -> Ingredient:
    config = path.with_suffix(".yaml")
    return Ingredient(path, path.name, hashes.sha256_of(path), config if config.is_file() else None)


def recorded(name: str) -> tuple[MergeRequest, dict[str, Any]]:
    """A recorded merge as our request, and what came of it."""
    entry = json.loads(golden("pure", "modelmerger.json").read_text("utf-8"))[name]
    args = entry["args"]
    models = data_folder("models/Stable-diffusion/tiny-sd1-b.safetensors") / "models"
    chosen = [ingredient(models / "Stable-diffusion" / title.split(" [")[0]) if title else None for title in args[:3]]
    assert chosen[0] is not None
    vae = models / "VAE" / args[9] if args[9] != "None" else None
    request = MergeRequest(
        chosen[0], chosen[1], chosen[2], args[3], args[4], args[5], args[6], args[7], args[8], vae, *args[10:14], json.loads(args[14])
    )
    return request, entry


@pytest.mark.parametrize("name", MERGES)
def test_recorded_merges(tmp_path: Path, name: str) -> None:
    request, entry = recorded(name)
    path = merge(request, tmp_path)
    expected = entry["files"][path.name]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(entry["files"])
    config = request.primary.config  # the recorded one was shorter: the packed goldens' say the text encoder's size too
    assert config is not None and path.with_suffix(".yaml").read_bytes() == config.read_bytes()
    if path.suffix == ".ckpt":
        with PickleTensorFile.open(path) as file:
            assert len(file.tensors) == expected["n_keys"]
            assert sorted({key.partition(".")[0] for key in file.tensors}) == expected["prefixes"]
        return
    tensors = load_file(path)
    assert path.stat().st_size == expected["size"]
    assert len(tensors) == expected["n_keys"]
    counts: dict[str, int] = {}
    for tensor in tensors.values():
        counts[str(tensor.dtype)] = counts.get(str(tensor.dtype), 0) + 1
    assert counts == expected["dtypes"]
    for key, digest in expected["tensor_sha256"].items():
        assert hashlib.sha256(tensors[key].numpy().tobytes()).hexdigest() == digest, key
    with TensorFile.open(path) as file:
        assert file.metadata == (expected["metadata"] or {})


def test_an_inpainting_model_must_come_first(tmp_path: Path) -> None:
    request, entry = recorded("inpaint_rev")
    assert "exception" in entry
    with pytest.raises(MergeError, match="an inpainting model must be A"):
        merge(request, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_vae_is_baked_in_and_odd_metadata_become_text(tmp_path: Path) -> None:
    request, entry = recorded("bake_vae")  # the original fails over the number in the metadata
    assert "exception" in entry
    path = merge(request, tmp_path)
    tensors, vae = load_file(path), load_file(request.bake_in_vae or "")
    baked = [key for key in vae if f"first_stage_model.{key}" in tensors]
    assert len(baked) > 100
    assert all(torch.equal(tensors[f"first_stage_model.{key}"], vae[key].half()) for key in baked)
    with TensorFile.open(path) as file:
        assert file.metadata["a"] == "1"
        assert json.loads(file.metadata["sd_merge_recipe"])["bake_in_vae"] == "tiny-vae.safetensors"
    assert not path.with_suffix(".yaml").exists()  # "don't"
    assert load_checkpoint(path).spec.family == "sd1"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ingredient, Ingredient, Ingredient]:
    """Three SD1-like models: normal, normal, and inpainting."""
    folder = tmp_path_factory.mktemp("models")
    found = []
    for name, channels in (("a", 4), ("b", 4), ("inpaint", 9)):
        torch.manual_seed(sum(name.encode()))
        found.append(ingredient(save(folder / f"{name}.safetensors", sd1_state(channels))))
    return found[0], found[1], found[2]


FIRST = "model.diffusion_model.input_blocks.0.0.weight"


def test_of_an_inpainting_model_the_first_four_channels_are_merged(tmp_path: Path, pair: tuple[Ingredient, ...]) -> None:
    a, b, inpaint = pair
    path = merge(MergeRequest(inpaint, b, a, "Add difference", 0.5), tmp_path)
    assert path.name == "inpaint + 0.5(b - a).inpainting.safetensors"
    whole, first, second, base = (load_file(file)[FIRST] for file in (path, inpaint.path, b.path, a.path))
    assert torch.equal(whole[:, :4], first[:, :4] + (second - base) * 0.5)
    assert torch.equal(whole[:, 4:], first[:, 4:])
    with TensorFile.open(path) as file:
        assert json.loads(file.metadata["sd_merge_recipe"])["is_inpainting"] is True


def test_a_pix2pix_model_is_named_so(tmp_path: Path, pair: tuple[Ingredient, ...]) -> None:
    pix2pix = ingredient(save(tmp_path / "p.safetensors", sd1_state(8)))
    path = merge(MergeRequest(pix2pix, pair[0], custom_name="x"), tmp_path)
    assert path.name == "x.instruct-pix2pix.safetensors"
    with pytest.raises(MergeError, match="an instruct-pix2pix model must be A"):
        merge(MergeRequest(pair[0], pix2pix), tmp_path)


def test_keys_that_only_one_model_has(tmp_path: Path) -> None:
    ids = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    ones, twos = torch.ones(2), torch.full((2,), 2.0)
    a = ingredient(save(tmp_path / "a.safetensors", {"model.both": ones, "model.a": ones + 0, "betas": ones + 0, ids: torch.zeros(1, 2)}))
    b = ingredient(save(tmp_path / "b.safetensors", {"model.both": twos, "model.b": twos + 0, "betas": twos + 0, ids: torch.ones(1, 2)}))
    c = ingredient(save(tmp_path / "c.safetensors", {"other": ones}))
    summed = load_file(merge(MergeRequest(a, b, None, "Weighted sum", 0.5, custom_name="s"), tmp_path))
    assert {key: tensor.flatten()[0].item() for key, tensor in summed.items()} == {"model.both": 1.5, "model.a": 1, "betas": 1, ids: 0}
    added = load_file(merge(MergeRequest(a, b, c, "Add difference", 0.5, custom_name="d"), tmp_path))
    assert added["model.both"][0] == 1, "a key that C lacks has no difference"


def test_clip_keys_of_old_files_meet_those_of_new_ones(tmp_path: Path) -> None:
    old = ingredient(
        save(tmp_path / "old.safetensors", {"cond_stage_model.transformer.encoder.w": torch.zeros(1), "model.x": torch.zeros(1)})
    )
    new = ingredient(save(tmp_path / "new.safetensors", {"cond_stage_model.transformer.text_model.encoder.w": torch.ones(1)}))
    found = load_file(merge(MergeRequest(old, new, None, "Weighted sum", 0.25), tmp_path))
    assert found["cond_stage_model.transformer.text_model.encoder.w"].item() == 0.25


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float8_e4m3fn])
def test_arithmetic_is_that_of_the_stored_dtype(tmp_path: Path, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    values = [torch.randn(64).to(dtype) for _ in range(2)]
    a, b = (ingredient(save(tmp_path / f"{i}.safetensors", {"model.w": value})) for i, value in enumerate(values))
    found = load_file(merge(MergeRequest(a, b, None, "Weighted sum", 0.3), tmp_path))["model.w"]
    first, second = (value.float() if dtype.itemsize == 1 else value for value in values)
    assert torch.equal(found.float(), (0.7 * first + 0.3 * second).to(dtype).float())


def test_mixed_dtypes_give_the_wider_one(tmp_path: Path) -> None:
    a = ingredient(save(tmp_path / "a.safetensors", {"model.w": torch.ones(2).half(), "model.n": torch.tensor([3])}))
    b = ingredient(save(tmp_path / "b.safetensors", {"model.w": torch.zeros(2), "model.n": torch.tensor([4])}))
    found = load_file(merge(MergeRequest(a, b, None, "Weighted sum", 0.5), tmp_path))
    assert found["model.w"].dtype == torch.float32
    assert found["model.n"].item() == 3.5


def test_earlier_recipes_are_kept(tmp_path: Path, pair: tuple[Ingredient, ...]) -> None:
    a, b, _ = pair
    first = ingredient(merge(MergeRequest(a, b, custom_name="first", metadata={"author": "me"}), tmp_path))
    second = merge(MergeRequest(first, b, custom_name="second"), tmp_path)
    with TensorFile.open(second) as file:
        models = json.loads(file.metadata["sd_merge_models"])
        assert file.metadata["author"] == "me"
    assert list(models) == [first.sha256, a.sha256, b.sha256]
    assert models[first.sha256]["sd_merge_recipe"]["custom_name"] == "first"
    assert models[a.sha256] == {"name": "a.safetensors", "legacy_hash": hashes.old_hash(a.path), "sd_merge_recipe": None}


def test_unused_models_are_no_part_of_the_recipe(tmp_path: Path, pair: tuple[Ingredient, ...]) -> None:
    a, b, c = pair
    path = merge(MergeRequest(a, b, c, "No interpolation", custom_name="x"), tmp_path)
    with TensorFile.open(path) as file:
        assert list(json.loads(file.metadata["sd_merge_models"])) == [a.sha256]
    assert all(torch.equal(tensor, load_file(a.path)[key]) for key, tensor in load_file(path).items())


def test_only_one_tensor_of_each_model_is_alive_at_a_time(
    tmp_path: Path, pair: tuple[Ingredient, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: set[int] = set()
    most = 0
    original = TensorFile.read

    def counted(self: TensorFile, *args: Any) -> Tensor:
        nonlocal most
        tensor = original(self, *args)
        alive.add(id(tensor))
        weakref.finalize(tensor, alive.discard, id(tensor))
        most = max(most, len(alive))
        return tensor

    monkeypatch.setattr(TensorFile, "read", counted)
    merge(MergeRequest(pair[0], pair[1], pair[0], "Add difference", 0.5), tmp_path)
    assert most == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"secondary": None}, "needs a model B"),
        ({"method": "Add difference"}, "needs a model C"),
        ({"method": "Sum twice"}, "the methods are"),
        ({"discard_weights": "("}, "not valid"),
        ({"custom_name": "../evil"}, "without folders"),
        ({"custom_name": ".."}, "without folders"),
        ({"custom_name": "a\\b"}, "without folders"),
        ({"custom_name": "a\0b"}, "without folders"),
        ({"format": "exe"}, "safetensors or ckpt"),
    ],
)
def test_requests_that_cannot_be_met(tmp_path: Path, pair: tuple[Ingredient, ...], change: dict[str, Any], message: str) -> None:
    with pytest.raises(MergeError, match=message):
        merge(replace(MergeRequest(pair[0], pair[1]), **change), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_models_of_other_families_do_not_go_together(tmp_path: Path) -> None:
    a = ingredient(save(tmp_path / "a.safetensors", {"model.w": torch.zeros(2, 3)}))
    b = ingredient(save(tmp_path / "b.safetensors", {"model.w": torch.zeros(2, 4)}))
    with pytest.raises(MergeError, match=r"'model.w' has shape \[2, 3\] in A and \[2, 4\] in B"):
        merge(MergeRequest(a, b), tmp_path)


def test_a_file_that_is_there_is_kept(tmp_path: Path, pair: tuple[Ingredient, ...]) -> None:
    request = MergeRequest(pair[0], pair[1], custom_name="x")
    (tmp_path / "x.safetensors").write_bytes(b"mine")
    with pytest.raises(AlreadyThere):
        merge(request, tmp_path)
    assert (tmp_path / "x.safetensors").read_bytes() == b"mine"
    merge(request, tmp_path, overwrite=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.safetensors"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, pair: tuple[Ingredient, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    from modules.weights import safetensors_writer

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors_writer.os, "fsync", full)
    with pytest.raises(WriteFailed, match="is full; make room"):
        merge(MergeRequest(pair[0], pair[1]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_merged_ckpt_is_what_torch_reads(tmp_path: Path, pair: tuple[Ingredient, ...]) -> None:
    path = merge(MergeRequest(pair[0], pair[1], format="ckpt", custom_name="x"), tmp_path)
    state = torch.load(path, weights_only=True)["state_dict"]
    twin = load_file(merge(MergeRequest(pair[0], pair[1], custom_name="x"), tmp_path))
    assert state.keys() == twin.keys() and all(torch.equal(state[key], twin[key]) for key in twin)
    with PickleTensorFile.open(path) as file:
        assert all(torch.equal(file.read(key), twin[key]) for key in twin)


def test_merging_a_model_over_itself_keeps_its_open_file_intact(tmp_path: Path, pair: tuple[Ingredient, ...]) -> None:
    copy = tmp_path / "x.safetensors"
    shutil.copyfile(pair[0].path, copy)
    merge(MergeRequest(ingredient(copy), pair[1], None, "Weighted sum", 0.0, custom_name="x"), tmp_path, overwrite=True)
    assert all(torch.equal(tensor, load_file(pair[0].path)[key]) for key, tensor in load_file(copy).items())
