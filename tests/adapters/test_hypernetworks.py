"""Hypernetwork files, and what they do to attention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from adapters.small_models import Model
from golden_data import golden
from safetensors.torch import load_file

from modules.adapters.hypernetworks import Attached, load_hypernetwork
from modules.adapters.networks import NetworkFolders, Networks
from modules.nets.attention import CrossAttention
from modules.nets.hypernetwork import HypernetworkConfig, HypernetworkModule, default_dropout
from modules.prompt.extra_networks import parse_prompt
from modules.settings.store import Options
from modules.weights.errors import MissingKeys, UnknownFamily, WeightsError, WrongShape

NAMES = ["default_linear", "relu_121", "leakyrelu_1221_ln", "swish_dropout", "tanh_activate_output", "elu_ln_activate_output_dropout",
         "mish", "gelu", "sigmoid", "softplus", "hardshrink", "old_form"]  # fmt: skip
FOLDER = ("nets", "hypernetwork")


def io() -> dict[str, torch.Tensor]:
    return load_file(golden(*FOLDER, "hypernetwork.io.safetensors"))


def test_every_recorded_file_is_named_here() -> None:
    assert set(json.loads(golden(*FOLDER, "hypernetwork.json").read_text("utf-8"))["files"]) == set(NAMES)


@pytest.mark.parametrize("name", NAMES[:-1])
def test_recorded_files_are_read_whole(name: str) -> None:
    found = load_hypernetwork(golden(*FOLDER, f"{name}.pt"))
    weights = load_file(golden(*FOLDER, "hypernetwork.weights.safetensors"))
    own = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
    state = {
        f"{width}.{'kv'[index]}.{key}": value
        for width, pair in found.pairs.items()
        for index, module in enumerate(pair)
        for key, value in module.state_dict().items()
    }
    assert state.keys() == own.keys() and all(torch.equal(value, own[key]) for key, value in state.items())
    assert not any(parameter.requires_grad for pair in found.pairs.values() for module in pair for parameter in module.parameters())


def attention(name: str) -> CrossAttention:
    weights = load_file(golden(*FOLDER, "hypernetwork.weights.safetensors"))
    layer = CrossAttention(16, 24 if name == "attn2" else None, 4)
    layer.load_state_dict({key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")})
    return layer.eval().requires_grad_(False)


@pytest.mark.parametrize("name", NAMES)
def test_attention_is_the_recorded_one(name: str) -> None:
    tensors, found = io(), load_hypernetwork(golden(*FOLDER, f"{name}.pt"))
    hidden, context = tensors["hidden16"], tensors["context24"]
    cases = [key.split("/")[1:] for key in tensors if key.startswith(f"{name}/x")]
    assert cases
    for case, what in cases:
        layer = attention(what if what.startswith("attn") else "attn1")
        attached, expected = Attached(layer, [(found, float(case[1:]))]), tensors[f"{name}/{case}/{what}"]
        if what.startswith("attn"):
            have = layer(hidden, context if what == "attn2" else None)
        else:
            have = attached.contexts(context if what.startswith("context") else hidden)["kv".index(what[-1])]
        torch.testing.assert_close(have, expected, rtol=0, atol=1e-5)


def test_without_them_attention_is_as_before() -> None:
    tensors, layer = io(), attention("attn2")
    Attached(layer, [(load_hypernetwork(golden(*FOLDER, "mish.pt")), 1.0)]).detach()
    torch.testing.assert_close(layer(tensors["hidden16"], tensors["context24"]), tensors["none/attn2"], rtol=0, atol=1e-5)


def test_two_in_a_row_and_a_width_that_none_knows() -> None:
    tensors = io()
    relu, swish = (load_hypernetwork(golden(*FOLDER, f"{name}.pt")) for name in ("relu_121", "swish_dropout"))
    layer = attention("attn2")
    attached = Attached(layer, [(relu, 0.8), (swish, 0.3)])
    expected = tensors["two_relu_0.8_then_swish_0.3/attn2"]
    torch.testing.assert_close(layer(tensors["hidden16"], tensors["context24"]), expected, rtol=0, atol=1e-5)
    assert torch.equal(attached.contexts(tensors["other20"])[0], tensors["other20"])


def small_file(path: Path, **changed: Any) -> Path:
    """A hypernetwork for contexts of width 16, with keys replaced or (None) left out."""
    state = HypernetworkModule(16, HypernetworkConfig()).state_dict()
    content = {16: (state, state), "name": "small", "layer_structure": [1, 2, 1], "activate_output": False, **changed}
    torch.save({key: value for key, value in content.items() if value is not None}, path)
    return path


@pytest.mark.parametrize("changed, error", [
    ({"activation_func": "explode"}, UnknownFamily),
    ({"layer_structure": [1, 3]}, UnknownFamily),
    ({"layer_structure": [1, 1e9, 1]}, UnknownFamily),
    ({"layer_structure": [1, 3, 1]}, WrongShape),
    ({"layer_structure": [1, 2, 2, 1]}, MissingKeys),
    ({"activation_func": "relu"}, MissingKeys),
    ({"dropout_structure": [0, 0.1]}, UnknownFamily),
])  # fmt: skip
def test_files_that_are_not_what_they_say(tmp_path: Path, changed: dict[str, Any], error: type[WeightsError]) -> None:
    with pytest.raises(error):
        load_hypernetwork(small_file(tmp_path / "h.pt", **changed))


def test_other_files_are_no_hypernetworks(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "x.pt")
    with pytest.raises(UnknownFamily):
        load_hypernetwork(tmp_path / "x.pt")


def test_tags_and_the_setting(model: Model, networks: Networks, settings: Options, folders: NetworkFolders) -> None:
    small_file(folders.hypernetworks[0] / "small.pt")
    layer = model.checkpoint.unet.input_blocks[1][1].transformer_blocks[0].attn2
    x, context = torch.randn(1, 3, 32), torch.randn(1, 4, 16)
    plain = layer(x, context)
    networks.activate(model, parse_prompt("<hypernet:small:0.5>")[1], settings)
    half = layer(x, context)
    networks.activate(model, parse_prompt("<hypernet:small:0.25> <hypernet:small:0.25>")[1], settings)
    twice = layer(x, context)
    assert not torch.allclose(half, plain) and not torch.allclose(twice, half)
    settings.set("sd_hypernetwork", "small")
    settings.set("extra_networks_default_multiplier", 0.5)
    active = networks.activate(model, {}, settings)
    assert active.prompt_tags == "<hypernet:small:0.5>" and torch.equal(layer(x, context), half)
    networks.deactivate()
    assert torch.equal(layer(x, context), plain) and "contexts" not in vars(layer)


def test_a_broken_file_is_said_and_left_out(model: Model, networks: Networks, settings: Options, folders: NetworkFolders) -> None:
    (folders.hypernetworks[0] / "bad.pt").write_bytes(b"no pickle")
    active = networks.activate(model, parse_prompt("<hypernet:bad>")[1], settings)
    assert len(active.comments) == 1 and "'bad.pt'" in active.comments[0]


@pytest.mark.parametrize("structure, last, expected", [
    ((1, 2, 1), False, (0, 0, 0)), ((1, 2, 2, 1), False, (0, 0.3, 0, 0)), ((1, 2, 2, 1), True, (0, 0.3, 0.3, 0)), ((1, 1), True, (0, 0.3)),
])  # fmt: skip
def test_dropout_of_files_that_only_say_yes(structure: tuple[int, ...], last: bool, expected: tuple[float, ...]) -> None:
    assert default_dropout(structure, last) == expected
