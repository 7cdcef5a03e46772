"""From the tags of a prompt to networks on a model, what the user is told, and the model afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from adapters.small_models import ATTENTION, TEXT, Model, lora_tensors, small_model
from golden_data import data_folder

from modules.adapters.networks import Active, NetworkFolders, Networks
from modules.prompt.extra_networks import ExtraNetworks, parse_prompt
from modules.settings.store import Options
from modules.weights.loader import load_checkpoint


def tags(prompt: str) -> ExtraNetworks:
    return parse_prompt(prompt)[1]


def key_weight(model: Model) -> torch.Tensor:
    return model.checkpoint.unet.input_blocks[1][1].transformer_blocks[0].attn2.to_k.weight


def query_weight(model: Model) -> torch.Tensor:
    return model.checkpoint.text_l.text_model.encoder.layers[0].self_attn.q_proj.weight


@pytest.fixture
def both(save_lora: Callable[..., Path]) -> None:
    """A network `style` that adds 1 to a layer of the UNet and to one of the text encoder."""
    unet = {f"lora_unet_{ATTENTION}.diff": torch.ones(32, 16)}
    save_lora("style", {**unet, f"lora_te_{TEXT}.diff": torch.ones(16, 16)}, sshs_model_hash="0123456789abcdef")


@pytest.mark.parametrize("tag, te, unet", [
    ("<lora:style>", 1, 1),
    ("<lora:style:0.5>", 0.5, 0.5),
    ("<lora:style:0.25:0.75>", 0.25, 0.75),
    ("<lyco:style:-1>", -1, -1),
    ("<lora:style:te=0.5>", 0.5, 0.5),
    ("<lora:style:unet=0.5>", 1, 0.5),
    ("<lora:style:te=0:unet=2>", 0, 2),
    ("<lora:style:1:1:4>", 1, 1),
    ("<lora:style:0>", 0, 0),
    ("<lora:style:0.25> <lora:style:0.5>", 1, 1),
])  # fmt: skip
def test_what_a_tag_means(model: Model, networks: Networks, settings: Options, both: None, tag: str, te: float, unet: float) -> None:
    keys, queries = key_weight(model), query_weight(model)
    active = networks.activate(model, tags(tag), settings)
    torch.testing.assert_close(key_weight(model), keys + unet)
    torch.testing.assert_close(query_weight(model), queries + te)
    assert active.infotext == {"Lora hashes": "style: 0123456789ab"} and active.comments == []


@pytest.mark.parametrize("prompt, comment", [
    ("<lora:nope:1> <lyco:no>", "Lora not found: nope, no"),
    ("<lora:STYLE:1>", "Lora not found: STYLE"),
    ("<hypernet:nope>", "Hypernetwork not found: nope"),
    ("<lora:style:high>", "'style:high': 'high' is no number; the network was left out"),
    ("<lora:style:nan>", "'style:nan': 'nan' is no number; the network was left out"),
    ("<lora:style:1:1:x>", "'style:1:1:x': 'x' is no whole number; the network was left out"),
    ("<lora:te=1>", "<lora:te=1> names no file; it was left out"),
])  # fmt: skip
def test_what_cannot_be_used_is_said(model: Model, networks: Networks, settings: Options, both: None, prompt: str, comment: str) -> None:
    before = model.checksum()
    active = networks.activate(model, tags(prompt), settings)
    assert active.comments == [comment] and active.infotext == {} and model.checksum() == before


def test_a_broken_file_is_left_out_and_the_others_stay(
    model: Model, networks: Networks, settings: Options, both: None, folders: NetworkFolders, save_lora: Callable[..., Path]
) -> None:
    (folders.loras[0] / "page.safetensors").write_text("<!DOCTYPE html><html></html>")
    save_lora("odd", {f"lora_unet_{ATTENTION}.something": torch.ones(1)})
    keys = key_weight(model)
    active = networks.activate(model, tags("<lora:page> <lora:odd> <lora:style>"), settings)
    torch.testing.assert_close(key_weight(model), keys + 1)
    assert [comment.split("'")[1] for comment in active.comments] == ["page.safetensors", "odd.safetensors"]


def test_networks_for_other_models_are_named(model: Model, networks: Networks, settings: Options, save_lora: Callable[..., Path]) -> None:
    save_lora("wide", lora_tensors(out=64))
    save_lora("xl", lora_tensors("lora_te2_text_model_encoder_layers_0_mlp_fc1"), ss_base_model_version="sdxl_base_v1-0")
    active = networks.activate(model, tags("<lora:wide> <lora:xl>"), settings)
    assert active.comments == [
        "Networks with errors: wide (1)",
        "Lora xl changes nothing: it has no layer of this model, it was made for SDXL",
    ]


def test_unknown_kinds_are_passed_over(model: Model, networks: Networks, settings: Options) -> None:
    assert networks.activate(model, tags("<else:x:1>"), settings) == Active()


def test_the_next_pass_has_its_own_networks(model: Model, networks: Networks, settings: Options, both: None) -> None:
    before, keys = model.checksum(), key_weight(model)
    networks.activate(model, tags("<lora:style:1>"), settings)
    networks.activate(model, tags("<lora:style:2>"), settings)
    torch.testing.assert_close(key_weight(model), keys + 2)
    networks.activate(model, tags("no tags"), settings)
    assert model.checksum() == before


def test_two_models_at_once(networks: Networks, settings: Options, both: None) -> None:
    main, refiner = small_model(), small_model()
    before = main.checksum()
    networks.activate(main, tags("<lora:style>"), settings)
    networks.activate(refiner, tags("<lora:style>"), settings)
    assert main.checksum() == refiner.checksum() != before
    networks.deactivate()
    assert main.checksum() == refiner.checksum() == before


def test_a_setting_adds_a_network_unless_the_prompt_has_it(model: Model, networks: Networks, settings: Options, both: None) -> None:
    settings.set("sd_lora", "style")
    settings.set("extra_networks_default_multiplier", 0.5)
    keys = key_weight(model)
    active = networks.activate(model, tags("a cat"), settings)
    torch.testing.assert_close(key_weight(model), keys + 0.5)
    assert active.prompt_tags == "<lora:style:0.5>" and active.infotext == {"Lora hashes": "style: 0123456789ab"}
    assert networks.activate(model, tags("a cat <lora:style:1>"), settings).prompt_tags == ""
    settings.set("sd_lora", "gone")
    assert networks.activate(model, tags("a cat"), settings) == Active()


def test_hashes_can_be_left_out(model: Model, networks: Networks, settings: Options, both: None) -> None:
    settings.set("lora_add_hashes_to_infotext", False)
    assert networks.activate(model, tags("<lora:style>"), settings).infotext == {}


def test_the_second_pass_adds_to_the_list_of_hashes() -> None:
    active = Active({"b": "222222222222", "a": "333333333333"})
    assert active.infotext_after({"Lora hashes": "a: 111111111111"}) == {"Lora hashes": "a: 333333333333, b: 222222222222"}
    assert Active().infotext_after({}) == {}


def test_files_stay_in_memory_while_they_are_used_and_as_settings_say(
    model: Model, networks: Networks, settings: Options, save_lora: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from modules.adapters import network

    loads: list[str] = []
    load = network.load_network
    monkeypatch.setattr(network, "load_network", lambda file, stamp: loads.append(file.name) or load(file, stamp))
    for name in "abc":
        save_lora(name, lora_tensors())
    for _ in range(2):
        networks.activate(model, tags("<lora:a>"), settings)
        networks.deactivate()
    assert loads == ["a"]
    networks.activate(model, tags("<lora:b>"), settings)
    networks.activate(model, tags("<lora:a>"), settings)
    assert loads == ["a", "b", "a"]
    settings.set("lora_in_memory_limit", 2)
    for name in "bab":
        networks.activate(model, tags(f"<lora:{name}>"), settings)
    assert loads == ["a", "b", "a", "b"]


def test_a_file_replaced_meanwhile_is_read_again(
    model: Model, networks: Networks, settings: Options, both: None, save_lora: Callable[..., Path]
) -> None:
    keys = key_weight(model)
    networks.activate(model, tags("<lora:style>"), settings)
    save_lora("style", {f"lora_unet_{ATTENTION}.diff": torch.full((32, 16), 3.0)})
    networks.activate(model, tags("<lora:style>"), settings)
    torch.testing.assert_close(key_weight(model), keys + 3)


def test_running_out_of_memory_leaves_every_model_as_it_was(
    model: Model, networks: Networks, settings: Options, both: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modules.adapters.kinds.full import Full

    before = model.checksum()

    def fails(*_: object) -> torch.Tensor:
        raise MemoryError

    monkeypatch.setattr(Full, "change", fails)
    with pytest.raises(MemoryError):
        networks.activate(model, tags("<lora:style>"), settings)
    assert model.checksum() == before
    monkeypatch.undo()
    networks.activate(model, tags("<lora:style>"), settings)
    networks.release()
    networks.deactivate()
    networks.release()
    assert model.checksum() == before


def test_a_model_is_not_kept_alive(networks: Networks, settings: Options, both: None) -> None:
    import gc
    import weakref

    model = small_model()
    unet = weakref.ref(model.checkpoint.unet)
    networks.activate(model, tags("<lora:style>"), settings)
    networks.deactivate()
    del model
    gc.collect()
    assert unet() is None


@pytest.mark.parametrize("name", ["lora", "ia3", "dora", "full", "lokr", "norm"])
def test_recorded_files_leave_the_recorded_checkpoint_as_it_was(tiny_networks: Networks, settings: Options, name: str) -> None:
    folder = data_folder("models/Stable-diffusion/tiny-sd1.safetensors", f"models/Lora/tiny-{name}.safetensors")
    model = Model(load_checkpoint(folder / "models" / "Stable-diffusion" / "tiny-sd1.safetensors"))
    before = model.checksum()
    active = tiny_networks.activate(model, tags(f"<lora:tiny-{name}:0.8> <hypernet:tinyhn>"), settings)
    assert active.comments == [] and model.checksum() != before
    tiny_networks.deactivate()
    assert model.checksum() == before
