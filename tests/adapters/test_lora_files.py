"""Names, aliases and hashes of LoRA files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from golden_data import data_folder, golden

from modules.adapters.files import natural_key
from modules.adapters.lora_files import LoraFiles
from modules.adapters.networks import NetworkFolders, Networks
from modules.adapters.pasted import use_local_names

ONE = {"lora_unet_x.alpha": torch.tensor(1.0)}


@pytest.fixture
def files(folders: NetworkFolders, tmp_path: Path) -> LoraFiles:
    return LoraFiles(folders.loras, tmp_path / "cache")


def test_the_recorded_list(tiny_networks: Networks) -> None:
    expected = json.loads(golden("lists", "loras.json").read_text("utf-8"))
    data_folder(*(f"models/Lora/{entry['name']}.safetensors" for entry in expected))
    found = tiny_networks.loras.list()
    assert [(file.name, file.alias, file.metadata) for file in found] == [(e["name"], e["alias"], e["metadata"]) for e in expected]


def test_numbers_in_names_are_numbers() -> None:
    assert sorted(["b", "a10", "A2", "a1"], key=natural_key) == ["a1", "A2", "a10", "b"]


def test_names_are_stems_as_written(files: LoraFiles, save_lora: Callable[..., Path]) -> None:
    path = save_lora("deep/Some Style", ONE)
    found = files.find("Some Style")
    assert found is not None and found.filename == path and found.alias == "Some Style"
    assert files.find("some style") is None and files.find("deep/Some Style") is None and files.find("") is None


def test_a_file_is_found_without_refreshing(files: LoraFiles, save_lora: Callable[..., Path]) -> None:
    assert files.list() == []
    save_lora("later", ONE)
    assert files.find("later") is not None


def test_the_name_it_was_trained_under_is_an_alias(files: LoraFiles, save_lora: Callable[..., Path]) -> None:
    save_lora("v1-final", ONE, ss_output_name="style")
    found = files.find("style")
    assert found is not None and found.name == "v1-final" and files.find("Style") is None
    assert files.name_for_prompts(found, preferred="Alias from file") == "style"
    assert files.name_for_prompts(found, preferred="Filename") == "v1-final"


def test_an_alias_that_two_claim_is_none(files: LoraFiles, save_lora: Callable[..., Path]) -> None:
    save_lora("a", ONE, ss_output_name="style")
    save_lora("b", ONE, ss_output_name="Style")
    assert files.find("style") is None and files.find("Style") is None
    found = files.find("a")
    assert found is not None and files.name_for_prompts(found, preferred="Alias from file") == "a"


@pytest.mark.parametrize("word", ["none", "None", "Addams"])
def test_words_that_are_no_alias(files: LoraFiles, save_lora: Callable[..., Path], word: str) -> None:
    save_lora("a", ONE, ss_output_name=word)
    assert files.find(word) is None


def test_a_stem_wins_over_another_files_alias(files: LoraFiles, save_lora: Callable[..., Path]) -> None:
    save_lora("a", ONE, ss_output_name="b")
    save_lora("b", ONE, ss_output_name="other")
    found = files.find("b")
    assert found is not None and found.filename.stem == "b"


def test_hashes(files: LoraFiles, save_lora: Callable[..., Path]) -> None:
    path = save_lora("plain", ONE)
    save_lora("noted", ONE, sshs_model_hash="ab" * 32)
    data = path.read_bytes()
    digest = hashlib.sha256(data[8 + int.from_bytes(data[:8], "little") :]).hexdigest()
    plain, noted = files.find("plain"), files.find("noted")
    assert plain is not None and plain.hash == digest and plain.shorthash == digest[:12]
    assert noted is not None and noted.shorthash == "ab" * 6
    assert files.by_hash(digest[:12]) is plain and files.by_hash("0" * 12) is None


def test_no_hashes_where_hashing_is_off(folders: NetworkFolders, save_lora: Callable[..., Path]) -> None:
    save_lora("plain", ONE)
    save_lora("noted", ONE, sshs_model_hash="ab" * 32)
    files = LoraFiles(folders.loras, hashing=False)
    assert [(file.name, file.shorthash) for file in files.list()] == [("noted", "ab" * 6), ("plain", None)]


@pytest.mark.parametrize("metadata, family", [
    ({}, ""), ({"ss_base_model_version": "sd_v1"}, "SD1"), ({"ss_v2": "True"}, "SD2"), ({"ss_v2": "False"}, "SD1"),
    ({"ss_base_model_version": "sdxl_base_v1-0"}, "SDXL"), ({"ss_base_model_version": "sd3_m"}, "SD3"),
])  # fmt: skip
def test_what_a_file_was_made_for(files: LoraFiles, save_lora: Callable[..., Path], metadata: dict[str, str], family: str) -> None:
    save_lora("a", ONE, **metadata)
    assert files.list()[0].made_for == family


def test_a_replaced_file_is_read_again(files: LoraFiles, save_lora: Callable[..., Path]) -> None:
    save_lora("a", ONE, ss_output_name="first")
    assert files.list()[0].alias == "first"
    save_lora("a", {**ONE, "lora_unet_y.alpha": torch.tensor(2.0)}, ss_output_name="second")
    files.refresh()
    assert files.list()[0].alias == "second"


def test_damaged_files_are_listed_without_metadata(files: LoraFiles, folders: NetworkFolders) -> None:
    (folders.loras[0] / "bad.safetensors").write_bytes(b"<html>")
    (folders.loras[0] / "empty.safetensors").touch()
    assert [(file.name, file.alias, file.metadata) for file in files.list()] == [("bad", "bad", {})]


def test_recipes_from_elsewhere_name_the_local_file(files: LoraFiles, save_lora: Callable[..., Path]) -> None:
    save_lora("local", ONE, sshs_model_hash="ab" * 32)
    params = {"Prompt": "a <lora:theirs:0.5> <lora:other:1>", "Lora hashes": "theirs: abababababab, other: 000000000000"}
    use_local_names(params, files)
    assert params["Prompt"] == "a <lora:local:0.5> <lora:other:1>"


def test_additional_networks_become_tags(files: LoraFiles) -> None:
    params = {"Prompt": "a cat", "AddNet Module 1": "LoRA", "AddNet Model 1": "style(0123abcd)", "AddNet Weight A 1": "0.7",
              "AddNet Module 2": "other", "AddNet Model 2": "x"}  # fmt: skip
    use_local_names(params, files)
    assert params["Prompt"] == "a cat\n<lora:style:0.7>"
