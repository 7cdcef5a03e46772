"""What the command line and the settings say about memory, and models fitted to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from golden_data import data_folder
from make_believe import MakeBelieve, elements_there

from modules.nets.attention_methods import AttentionChoice, choices
from modules.nets.casting import is_stored_in_fp8
from modules.nets.offload import Offloader
from modules.pipeline.memory import MemoryPolicy, fit
from modules.pipeline.model import CondBatch, DiffusionModel
from modules.pipeline.offloading import Offloading
from modules.settings.store import Options, SettingsView
from modules.weights.loader import load_checkpoint


def policy(**flags: object) -> MemoryPolicy:
    return MemoryPolicy.from_flags(SimpleNamespace(**flags))


def settings(**values: Any) -> SettingsView:
    return SettingsView(Options(), values)


@pytest.fixture
def model() -> DiffusionModel:
    path = data_folder("models/Stable-diffusion/tiny-sd1.safetensors") / "models" / "Stable-diffusion" / "tiny-sd1.safetensors"
    return DiffusionModel(load_checkpoint(path), torch.device("cpu"), name="tiny-sd1", shorthash=None)


@pytest.mark.parametrize(
    ("flags", "level"),
    [({}, None), ({"medvram": True}, "networks"), ({"lowvram": True}, "blocks"), ({"medvram": True, "lowvram": True}, "blocks")],
)
def test_offloading_follows_the_flags(flags, level):
    anywhere = SimpleNamespace(device=torch.device("cuda"), is_sdxl=False)
    assert policy(**flags).offload_level(anywhere) == level
    assert policy(**flags).offload_level(SimpleNamespace(device=torch.device("cpu"), is_sdxl=False)) is None


def test_medvram_sdxl_is_for_sdxl_alone():
    levels = [policy(medvram_sdxl=True).offload_level(SimpleNamespace(device=torch.device("cuda"), is_sdxl=xl)) for xl in (True, False)]
    assert levels == ["networks", None]


@pytest.mark.parametrize(
    ("flag", "setting", "method"),
    [
        ({}, "Automatic", "Automatic"),
        ({"opt_split_attention": True}, "Automatic", "Doggettx"),
        ({"opt_sub_quad_attention": True}, "Automatic", "sub-quadratic"),
        ({"opt_split_attention_v1": True}, "Doggettx", "Doggettx"),
        ({"opt_sdp_attention": True, "opt_sdp_no_mem_attention": True}, "Automatic", "sdp-no-mem"),
        ({"disable_opt_split_attention": True}, "Automatic", "None"),
        ({}, "sdp - scaled dot product", "sdp"),
        ({}, "V1 - original v1", "V1"),
        ({}, "something an extension had", "Automatic"),
    ],
)
def test_attention_follows_the_setting_then_the_flags(flag, setting, method):
    assert policy(**flag).attention_for(settings(cross_attention_optimization=setting)).method == method


def test_numbers_of_sub_quadratic_attention_are_the_flags():
    choice = policy(sub_quad_q_chunk_size=64, sub_quad_kv_chunk_size=32, sub_quad_chunk_threshold=50)
    assert choice.attention_for(settings(upcast_attn=True)) == AttentionChoice("Automatic", True, 64, 32, 50)


def test_the_choices_are_those_of_the_page():
    offered = [name for name in choices() if name != "xformers"]
    assert sorted(offered) == sorted(
        [
            "Automatic",
            "InvokeAI",
            "Doggettx",
            "sdp-no-mem - scaled dot product without memory efficient attention",
            "sdp - scaled dot product",
            "sub-quadratic",
            "V1 - original v1",
            "None",
        ]
    )


def answer(model: DiffusionModel) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, 8, 8, generator=generator)
    context = torch.randn(1, 77, model.checkpoint.unet.config.context_dim, generator=generator)
    with torch.inference_mode():
        return model.apply(x, torch.tensor([500.0]), CondBatch(context))


def test_fp8_comes_and_goes_with_the_setting(model):
    fit(model, settings())
    before = answer(model)
    fit(model, settings(fp8_storage="Enable"))
    nets = (model.checkpoint.unet, model.checkpoint.text_l)
    assert all(is_stored_in_fp8(net) for net in nets) and not is_stored_in_fp8(model.checkpoint.vae)
    assert model.storage is not None and model.storage.fp8 and model.unet_dtype == torch.float32
    rounded = answer(model)
    assert 0 < (rounded - before).abs().max() < 1
    fit(model, settings(fp8_storage="Enable", cache_fp16_weight=True))
    torch.testing.assert_close(answer(model), rounded)
    fit(model, settings(fp8_storage="Enable for SDXL"))
    torch.testing.assert_close(answer(model), before, rtol=0, atol=0)


def test_fp8_keeps_the_vae_that_is_in_use(model):
    vae = model.checkpoint.vae
    fit(model, settings())
    fit(model, settings(fp8_storage="Enable"))
    fit(model, settings())
    assert model.checkpoint.vae is vae


@pytest.mark.parametrize("level", ["networks", "blocks"])
def test_a_model_whose_networks_take_turns_answers_the_same(model, level):
    z = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    ids = torch.zeros(1, 77, dtype=torch.long)
    with torch.inference_mode():
        expected = answer(model), model.decode(z), model.checkpoint.text_l(ids).last
    place = MakeBelieve()
    model.offloading = Offloading(model, Offloader(place), level)
    nets = [model.checkpoint.unet, model.checkpoint.vae, model.checkpoint.text_l]
    with torch.inference_mode():
        got = answer(model), model.decode(z), model.checkpoint.text_l(ids).last
        there = [elements_there(place, net) for net in nets]
        torch.testing.assert_close(got, expected)
        assert there[0] == there[1] == 0 and there[2] > 0
        answer(model)
    whole = sum(p.numel() for p in model.checkpoint.unet.parameters())
    there_now = elements_there(place, model.checkpoint.unet)
    assert there_now == whole if level == "networks" else 0 < there_now < whole / 10
    model.move("cpu")
    assert elements_there(place, *nets) == 0


def test_a_network_that_is_exchanged_takes_its_turns_too(model):
    place = MakeBelieve()
    model.offloading = Offloading(model, Offloader(place), "networks")
    old = model.checkpoint.unet
    fit(model, settings())
    fit(model, settings(fp8_storage="Enable"))
    fit(model, settings())
    assert model.checkpoint.unet is not old and not old._forward_pre_hooks
    answer(model)
    assert elements_there(place, model.checkpoint.unet) > 0 and elements_there(place, old) == 0
