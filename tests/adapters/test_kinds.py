"""What each kind of network layer adds to a weight, against the original's own results and against plain formulas."""

from __future__ import annotations

import json

import pytest
import torch
from golden_data import golden
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from modules.adapters.errors import LayerMismatch
from modules.adapters.kinds.layer import Layer
from modules.adapters.kinds.recognise import make_layer

TOLERANCE = 1e-6
CASES = [
    "lora", "lora_noalpha", "lora_AB", "lora_conv1", "lora_conv1_as_linear", "lora_linear_as_conv1", "locon_conv3",
    "locon_conv3_stride2", "locon_conv3_mid", "dora_lin", "dora_conv3", "dora_lin_out_form", "lora_scale_key", "loha",
    "loha_conv3", "loha_conv3_tucker", "loha_dora", "lokr_full", "lokr_w2ab", "lokr_w1ab_w2ab", "lokr_conv3_full",
    "lokr_conv3_ab", "lokr_conv3_tucker", "ia3_out", "ia3_in", "full_lin", "full_lin_bias", "full_conv3", "norm_ln",
    "norm_gn", "glora", "oft_kohya", "oft_kohya_big_constraint", "oft_blocks_noalpha", "oft_conv3", "oft_diag_old",
    "oft_rescale", "boft",
]  # fmt: skip
KINDS = {"hada": "LoHa", "lora": "LoRA", "lokr": "LoKr", "ia3": "IA3", "full": "Full", "norm": "Norm", "glora": "GLoRA", "oft": "OFT"}


def recorded() -> tuple[dict[str, Tensor], dict[str, dict]]:
    folder = golden("nets", "lora")
    return load_file(folder / "lora_family.safetensors"), json.loads((folder / "lora_family.json").read_text("utf-8"))["cases"]


def layer_of(tensors: dict[str, Tensor]) -> Layer:
    layer = make_layer(tensors)
    assert layer is not None
    return layer


def test_every_recorded_case_is_named_here() -> None:
    assert set(recorded()[1]) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_deltas_are_the_recorded_ones(name: str) -> None:
    tensors, cases = recorded()
    start = f"{name}/net."
    layer = layer_of({key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)})
    assert type(layer).__name__ == KINDS[cases[name]["kind"]]
    weight = tensors[f"module/{cases[name]['module']}.weight"]
    for key in [key for key in tensors if key.startswith(f"{name}/x") and key.endswith("/updown")]:
        delta = layer.delta(weight, float(key.split("/")[1][1:]))
        torch.testing.assert_close(delta.weight, tensors[key], rtol=0, atol=TOLERANCE)
        bias = tensors.get(key.replace("updown", "bias_add"))
        assert (delta.bias is None) == (bias is None)
        if bias is not None:
            torch.testing.assert_close(delta.bias, bias, rtol=0, atol=TOLERANCE)


def test_dyn_uses_the_first_ranks_and_the_files_scale() -> None:
    tensors, _ = recorded()
    layer = layer_of({key.removeprefix("lora/net."): value for key, value in tensors.items() if key.startswith("lora/net.")})
    torch.testing.assert_close(layer.delta(tensors["module/lin.weight"], 1.0, dyn=2).weight, tensors["lora/dyn2/updown"])


LYCORIS = (
    "boft diag_oft dora dylora full glora ia3 locon locon_tucker loha loha_tucker "
    "lokr lokr_decompose_both lokr_factor8 lokr_full_matrix lokr_tucker"
)


@pytest.mark.parametrize("name", LYCORIS.split())
def test_a_whole_lycoris_layer_fits_its_place(name: str) -> None:
    import gzip

    with gzip.open(golden("nets", "fixtures", f"lycoris_{name}.json.gz")) as file:
        fixture = json.load(file)["tensors"]
    layer = "lora_unet_down_blocks_0_resnets_0_conv1"
    parts = {key.removeprefix(layer + "."): torch.zeros(shape) for key, (shape, _) in fixture.items() if key.startswith(layer + ".")}
    delta = layer_of(parts).delta(torch.full((320, 320, 3, 3), 0.01), 1.0)
    assert delta.weight is not None and delta.weight.shape == (320, 320, 3, 3)
    assert torch.isfinite(delta.weight).all()


def test_later_lycoris_names_gloras_factors_the_other_way_round() -> None:
    weight = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    a1, a2, b1, b2 = torch.randn(4, 2), torch.randn(2, 4), torch.randn(6, 2), torch.randn(2, 4)
    tensors = {"a1.weight": a1, "a2.weight": a2, "b1.weight": b1, "b2.weight": b2, "alpha": torch.tensor(1.0)}
    expected = (b1 @ b2 + weight @ a1 @ a2) * 0.5
    torch.testing.assert_close(layer_of(tensors).delta(weight, 1.0).weight, expected)


def test_an_inpainting_models_first_layer_takes_the_change_in_its_first_channels() -> None:
    change = torch.randn(8, 4, 3, 3)
    delta = layer_of({"diff": change}).delta(torch.zeros(8, 9, 3, 3), 0.5).weight
    assert delta is not None
    assert torch.equal(delta[:, :4], change * 0.5) and not delta[:, 4:].any()


@pytest.mark.parametrize("tensors", [
    {"diff": torch.zeros(3, 3)},
    {"w_norm": torch.zeros(5)},
    {"weight": torch.zeros(7), "on_input": torch.tensor(True)},
    {"oft_blocks": torch.zeros(3, 2, 2)},
    {"lora_up.weight": torch.zeros(4, 2), "lora_down.weight": torch.zeros(2, 9)},
])  # fmt: skip
def test_what_does_not_fit_is_an_error(tensors: dict[str, Tensor]) -> None:
    with pytest.raises(LayerMismatch):
        layer_of(tensors).delta(torch.zeros(4, 4), 1.0)


def test_tensors_of_no_kind() -> None:
    assert make_layer({"alpha": torch.tensor(1.0)}) is None
    assert make_layer({"lora_up.weight": torch.zeros(2, 2)}) is None


sizes = st.integers(1, 6)


@settings(max_examples=40, deadline=None)
@given(out=sizes, into=sizes, rank=sizes, kernel=st.sampled_from([1, 3]), strength=st.floats(-2, 2))
def test_a_merged_lora_is_two_layers_beside_the_first(out: int, into: int, rank: int, kernel: int, strength: float) -> None:
    generator = torch.Generator().manual_seed(out * 100 + into * 10 + rank)
    down, up = torch.randn(rank, into, kernel, kernel, generator=generator), torch.randn(out, rank, 1, 1, generator=generator)
    weight, x = torch.randn(out, into, kernel, kernel, generator=generator), torch.randn(1, into, 5, 5, generator=generator)
    layer = layer_of({"lora_down.weight": down, "lora_up.weight": up, "alpha": torch.tensor(float(rank) / 2)})
    delta = layer.delta(weight, strength).weight
    assert delta is not None
    apart = functional.conv2d(x, weight) + functional.conv2d(functional.conv2d(x, down), up) * (0.5 * strength)
    torch.testing.assert_close(functional.conv2d(x, weight + delta), apart, rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(first=st.tuples(sizes, sizes), second=st.tuples(sizes, sizes), split=st.tuples(st.booleans(), st.booleans()), rank=sizes)
def test_every_form_of_lokr_is_a_kronecker_product(
    first: tuple[int, int], second: tuple[int, int], split: tuple[bool, bool], rank: int
) -> None:
    tensors, factors = {}, []
    for number, (rows, columns), in_two in ((1, first, split[0]), (2, second, split[1])):
        a, b = torch.randn(rows, rank), torch.randn(rank, columns)
        factors.append(a @ b)
        tensors |= {f"lokr_w{number}_a": a, f"lokr_w{number}_b": b} if in_two else {f"lokr_w{number}": a @ b}
    whole = torch.kron(*factors)
    delta = layer_of(tensors).delta(torch.zeros_like(whole), 1.0).weight
    torch.testing.assert_close(delta, whole)


@settings(max_examples=30, deadline=None)
@given(groups=sizes, width=sizes, into=sizes)
def test_orthogonal_networks_keep_the_length_of_every_column(groups: int, width: int, into: int) -> None:
    weight, blocks = torch.randn(groups * width, into), torch.randn(groups, width, width)
    delta = layer_of({"oft_blocks": blocks}).delta(weight, 1.0).weight
    torch.testing.assert_close((weight + delta).norm(dim=0), weight.norm(dim=0), rtol=1e-3, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(groups=st.integers(0, 2), half=st.integers(1, 3), levels=st.integers(1, 3), into=sizes)
def test_so_do_butterflies(groups: int, half: int, levels: int, into: int) -> None:
    levels = min(levels, groups + 1)
    blocks = torch.randn(levels, 2**groups, 2 * half, 2 * half)
    weight = torch.randn(2**groups * 2 * half, into)
    delta = layer_of({"oft_blocks": blocks}).delta(weight, 1.0).weight
    torch.testing.assert_close((weight + delta).norm(dim=0), weight.norm(dim=0), rtol=1e-3, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(out=sizes, into=sizes, rank=sizes)
def test_dora_gives_the_columns_their_lengths(out: int, into: int, rank: int) -> None:
    generator = torch.Generator().manual_seed(out + 7 * into)
    lengths = torch.rand(1, into, generator=generator) + 0.5
    up, down = torch.randn(out, rank, generator=generator), torch.randn(rank, into, generator=generator)
    tensors = {"lora_up.weight": up, "lora_down.weight": down, "dora_scale": lengths}
    weight = torch.randn(out, into, generator=generator)
    delta = layer_of(tensors).delta(weight, 1.0).weight
    torch.testing.assert_close((weight + delta).norm(dim=0, keepdim=True), lengths, rtol=1e-3, atol=1e-4)
