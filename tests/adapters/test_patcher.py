"""Networks merged into weights, and the base weights afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from adapters.small_models import ATTENTION, TEXT, UNET, Model, lora_tensors, small_model
from torch import Tensor

from modules.adapters.lora_files import LoraFile
from modules.adapters.network import Network, load_network
from modules.adapters.patcher import Patcher, Wanted
from modules.nets.casting import store_in_fp8


@pytest.fixture
def network(save_lora: Callable[..., Path]) -> Callable[..., Network]:
    def load(tensors: dict[str, Tensor], name: str = "net") -> Network:
        return load_network(LoraFile(name, save_lora(name, tensors)), (len(tensors), 1))

    return load


def attention(model: Model) -> Any:
    return model.checkpoint.unet.input_blocks[1][1].transformer_blocks[0].attn2


def product(tensors: dict[str, Tensor], layer: str) -> Tensor:
    up, down = tensors[f"{layer}.lora_up.weight"], tensors[f"{layer}.lora_down.weight"]
    return up @ down / len(down)


def test_a_network_is_added_and_taken_away(model: Model, network: Callable[..., Network]) -> None:
    before, base = model.checksum(), attention(model).to_k.weight
    tensors, patcher = lora_tensors(), Patcher(model.checkpoint)
    merged = patcher.apply([Wanted(network(tensors), 1.0, 0.5)])
    torch.testing.assert_close(attention(model).to_k.weight, base + product(tensors, f"lora_unet_{ATTENTION}") * 0.5)
    assert merged.used == {"net": 1} and merged.failed == {"net": 0} and model.checksum() != before
    patcher.restore()
    patcher.restore()
    assert attention(model).to_k.weight is base and model.checksum() == before


def test_text_encoders_have_a_strength_of_their_own(model: Model, network: Callable[..., Network]) -> None:
    layer = model.checkpoint.text_l.text_model.encoder.layers[0].self_attn.q_proj
    base, tensors = layer.weight, lora_tensors(f"lora_te_{TEXT}", 16, 16)
    Patcher(model.checkpoint).apply([Wanted(network(tensors), 0.25, 1.0)])
    torch.testing.assert_close(layer.weight, base + product(tensors, f"lora_te_{TEXT}") * 0.25)


def test_networks_are_merged_one_after_the_other(model: Model, network: Callable[..., Network]) -> None:
    layer = f"lora_unet_{ATTENTION}"
    scaled = network({f"{layer}.weight": torch.full((32,), 0.5), f"{layer}.on_input": torch.tensor(False)}, "ia3")
    added = network({f"{layer}.diff": torch.ones(32, 16)}, "full")
    base, patcher = attention(model).to_k.weight, Patcher(model.checkpoint)
    patcher.apply([Wanted(added, 1, 1), Wanted(scaled, 1, 1)])
    torch.testing.assert_close(attention(model).to_k.weight, (base + 1) * 1.5)
    patcher.apply([Wanted(scaled, 1, 1), Wanted(added, 1, 1)])
    torch.testing.assert_close(attention(model).to_k.weight, base * 1.5 + 1)


def test_a_layer_without_a_bias_gets_one_and_loses_it(model: Model, network: Callable[..., Network]) -> None:
    layer, patcher = attention(model).to_k, Patcher(model.checkpoint)
    before = model.checksum()
    tensors = {f"lora_unet_{ATTENTION}.diff": torch.zeros(32, 16), f"lora_unet_{ATTENTION}.diff_b": torch.ones(32)}
    patcher.apply([Wanted(network(tensors), 1, 2)])
    assert torch.equal(layer.bias, torch.full((32,), 2.0)) and torch.equal(layer(torch.zeros(1, 16)), torch.full((1, 32), 2.0))
    patcher.restore()
    assert layer.bias is None and model.checksum() == before


@pytest.mark.parametrize("letter, third", [("q", 0), ("k", 1), ("v", 2)])
def test_a_part_of_a_fused_matrix(network: Callable[..., Network], letter: str, third: int) -> None:
    model = small_model("sd2")
    attn, name = model.checkpoint.text_g.transformer.resblocks[0].attn, TEXT.replace("q_proj", f"{letter}_proj")
    base, tensors = attn.in_proj_weight, lora_tensors(f"lora_te_{name}", 16, 16)
    Patcher(model.checkpoint).apply([Wanted(network(tensors), 1, 1)])
    expected = base.clone()
    expected[third * 16 : (third + 1) * 16] += product(tensors, f"lora_te_{name}")
    torch.testing.assert_close(attn.in_proj_weight, expected)


def test_all_three_parts_in_one_file(network: Callable[..., Network]) -> None:
    model = small_model("sd2")
    attn, base = model.checkpoint.text_g.transformer.resblocks[0].attn, model.checksum()
    layers = [f"lora_te_{TEXT.replace('q_proj', f'{letter}_proj')}" for letter in "qkv"]
    tensors = {key: value for layer in layers for key, value in lora_tensors(layer, 16, 16).items()}
    expected = attn.in_proj_weight + torch.cat([product(tensors, layer) for layer in layers])
    patcher = Patcher(model.checkpoint)
    patcher.apply([Wanted(network(tensors), 1, 1)])
    torch.testing.assert_close(attn.in_proj_weight, expected)
    patcher.restore()
    assert model.checksum() == base


def test_layers_that_do_not_fit_are_left_out_and_counted(model: Model, network: Callable[..., Network]) -> None:
    tensors = {**lora_tensors(), **lora_tensors(f"lora_te_{TEXT}", 17, 16)}
    merged = Patcher(model.checkpoint).apply([Wanted(network(tensors), 1, 1)])
    assert merged.used == {"net": 1} and merged.failed == {"net": 1}


def test_an_error_while_computing_leaves_the_model_as_it_was(
    model: Model, network: Callable[..., Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, loaded = model.checksum(), network({**lora_tensors(), **lora_tensors(f"lora_te_{TEXT}", 16, 16)})
    last = list(loaded.layers.values())[-1]

    def fails(*_: object) -> Tensor:
        raise MemoryError

    monkeypatch.setattr(last, "change", fails)
    patcher = Patcher(model.checkpoint)
    with pytest.raises(MemoryError):
        patcher.apply([Wanted(loaded, 1, 1)])
    assert model.checksum() == before and not patcher.is_active


def test_the_same_set_again_costs_nothing(model: Model, network: Callable[..., Network], monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, patcher = [Wanted(network(lora_tensors()), 1, 1)], Patcher(model.checkpoint)
    patcher.apply(wanted)
    first = attention(model).to_k.weight
    patcher.restore()
    monkeypatch.setattr("modules.adapters.patcher.free_memory", lambda _: None)
    patcher.keep_latest()
    monkeypatch.setattr(wanted[0].network.layers[f"unet_{ATTENTION}"], "change", None)
    patcher.apply(wanted)
    assert attention(model).to_k.weight is first


def test_what_crowds_its_device_is_not_kept(model: Model, network: Callable[..., Network], monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, patcher = [Wanted(network(lora_tensors()), 1, 1)], Patcher(model.checkpoint)
    patcher.apply(wanted)
    first = attention(model).to_k.weight
    patcher.restore()
    monkeypatch.setattr("modules.adapters.patcher.free_memory", lambda _: 100)
    patcher.keep_latest()
    patcher.apply(wanted)
    assert attention(model).to_k.weight is not first


def test_half_precision_is_rounded_once_for_each_network(network: Callable[..., Network]) -> None:
    model = small_model()
    model.checkpoint.unet.half()
    base, tensors = attention(model).to_k.weight, lora_tensors()
    Patcher(model.checkpoint).apply([Wanted(network(tensors), 1, 0.7)])
    expected = (base.float() + product(tensors, f"lora_unet_{ATTENTION}") * 0.7).half()
    assert attention(model).to_k.weight.dtype == torch.float16
    torch.testing.assert_close(attention(model).to_k.weight, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("keep_half", [False, True])
def test_weights_stored_in_fp8(network: Callable[..., Network], keep_half: bool) -> None:
    model = small_model()
    exact = attention(model).to_k.weight.clone()
    store_in_fp8(model.checkpoint.unet, keep_half=keep_half)
    before, tensors, patcher = model.checksum(), lora_tensors(), Patcher(model.checkpoint)
    stored = attention(model).to_k.weight
    patcher.apply([Wanted(network(tensors), 1, 1)])
    changed = attention(model).to_k.weight
    start = exact.half() if keep_half else stored.half()
    expected = (start + product(tensors, f"lora_unet_{ATTENTION}")).to(torch.float8_e4m3fn)
    assert changed.dtype == torch.float8_e4m3fn
    assert (changed.float() - expected.float()).abs().max() <= 0.26  # a neighbour at most, where halves round otherwise
    patcher.restore()
    assert model.checksum() == before


def test_the_layout_in_memory_stays(network: Callable[..., Network]) -> None:
    model = small_model()
    model.checkpoint.unet.to(memory_format=torch.channels_last)
    layer = model.checkpoint.unet.input_blocks[0][0]
    Patcher(model.checkpoint).apply([Wanted(network({"lora_unet_conv_in.diff": torch.ones(32, 4, 3, 3)}), 1, 1)])
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)


def test_an_inpainting_models_first_layer(network: Callable[..., Network]) -> None:
    from dataclasses import replace

    model = small_model(unet=replace(UNET, in_channels=9))
    layer = model.checkpoint.unet.input_blocks[0][0]
    base = layer.weight
    Patcher(model.checkpoint).apply([Wanted(network({"lora_unet_conv_in.diff": torch.ones(32, 4, 3, 3)}), 1, 1)])
    assert torch.equal(layer.weight[:, 4:], base[:, 4:])
    torch.testing.assert_close(layer.weight[:, :4], base[:, :4] + 1)


def test_half_products_can_be_left_out_as_the_original_did(model: Model, network: Callable[..., Network]) -> None:
    layer = f"lora_unet_{ATTENTION}"
    a, b = torch.ones(32, 2).half(), torch.ones(2, 16).half()
    loha = {f"{layer}.hada_w{part}": (b if part.endswith("b") else a).clone() for part in ("1_a", "1_b", "2_a", "2_b")}
    wanted, patcher = [Wanted(network(loha), 1, 1)], Patcher(model.checkpoint)
    base = attention(model).to_k.weight
    assert patcher.apply(wanted, whole_products=False).failed == {"net": 1} and attention(model).to_k.weight is base
    assert patcher.apply(wanted).failed == {"net": 0} and attention(model).to_k.weight is not base
