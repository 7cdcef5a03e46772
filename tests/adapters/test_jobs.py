"""Jobs with networks: their pictures and recipes, and the base weights after every way a job can end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from adapters.small_models import Model
from golden_data import data_folder, link_tree
from safetensors.torch import save_file
from torch import nn

from modules.engine.engine import Engine
from modules.engine.paths import Paths
from modules.pipeline.processing import StableDiffusionProcessingTxt2Img
from modules.settings.store import Options

LAYERS = {  # sizes of the tiny checkpoint's layers: out, in
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k": (32, 64),
    "lora_te_text_model_encoder_layers_0_self_attn_q_proj": (64, 64),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    data = tmp_path_factory.mktemp("data")
    link_tree(data_folder("models/Stable-diffusion/tiny-sd1.safetensors"), data)
    generator = torch.Generator().manual_seed(3)
    (data / "models" / "Lora").mkdir(exist_ok=True)
    for name in ("first", "second"):
        tensors = {f"{layer}.diff": torch.randn(shape, generator=generator) for layer, shape in LAYERS.items()}
        save_file(tensors, data / "models" / "Lora" / f"{name}.safetensors", {"sshs_model_hash": name.encode().hex() * 4})
    (data / "embeddings").mkdir(exist_ok=True)
    for name in ("word", "other"):
        save_file({"emb_params": torch.randn(2, 64, generator=generator)}, data / "embeddings" / f"{name}.safetensors")
    options = Options()
    options.set("sd_model_checkpoint", "tiny-sd1")
    options.set("randn_source", "CPU")
    made = Engine(SimpleNamespace(no_half=True, precision="full", use_cpu=["all"], no_prompt_history=True), Paths.from_flags(data), options)
    yield made
    made.close()


def request(prompt: str = "a cat <lora:first:1>", **values: Any) -> StableDiffusionProcessingTxt2Img:
    fields: dict[str, Any] = {"steps": 3, "seed": 5, "width": 64, "height": 64, "sampler_name": "Euler"} | values
    return StableDiffusionProcessingTxt2Img(prompt=prompt, do_not_save_samples=True, do_not_save_grid=True, **fields)


@pytest.fixture
def checksum(engine: Engine) -> Callable[[], str]:
    """The checksum of the model in memory; it must be that of the file before a test and after it."""
    engine.run(request("a cat", steps=1))
    model = engine.models.loaded
    assert model is not None
    return Model(model.checkpoint).checksum


def picture(engine: Engine, p: StableDiffusionProcessingTxt2Img) -> bytes:
    return engine.run(p).images[0].tobytes()


def test_a_network_changes_the_picture_and_leaves_nothing_behind(engine: Engine, checksum: Callable[[], str]) -> None:
    before, plain = checksum(), picture(engine, request("a cat "))
    changed = picture(engine, request())
    assert changed != plain and checksum() == before
    assert picture(engine, request("a cat ")) == plain
    assert picture(engine, request()) == changed


class Broken(Exception):
    pass


@pytest.fixture
def break_at(engine: Engine, checksum: Callable[[], str]) -> Iterator[Callable[[int, Exception], None]]:
    """`break_at(call, error)` makes that call of the UNet, counted from 1, raise."""
    assert engine.models.loaded is not None
    unet: nn.Module = engine.models.loaded.checkpoint.unet
    handles = []

    def arm(call: int, error: BaseException) -> None:
        calls = iter(range(1, 10_000))

        def hook(*_: object) -> None:
            if next(calls) == call:
                raise error

        handles.append(unet.register_forward_pre_hook(hook))

    yield arm
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("prompt", ["a cat <lora:first:1>", "a cat <lora:first:0.5> <lora:second:-1>"])
def test_an_exception_inside_a_step_leaves_the_base_weights_as_they_were(
    engine: Engine, checksum: Callable[[], str], break_at: Callable[[int, BaseException], None], prompt: str
) -> None:
    before = checksum()
    break_at(2, Broken("in the middle of a step"))
    with pytest.raises(Broken):
        engine.run(request(prompt))
    assert checksum() == before


def test_so_does_one_in_the_second_pass(
    engine: Engine, checksum: Callable[[], str], break_at: Callable[[int, BaseException], None]
) -> None:
    before = checksum()
    break_at(5, Broken("in hires fix"))
    with pytest.raises(Broken):
        engine.run(request(enable_hr=True, hr_prompt="a cat <lora:second:1>", hr_upscaler="Latent", denoising_strength=0.9))
    assert checksum() == before


def test_so_does_a_stop(engine: Engine, checksum: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = checksum()
    model = engine.models.loaded
    assert model is not None
    seen: list[str] = []

    def stop(*_: object) -> None:
        seen.append(checksum())
        engine.interrupt()

    handle = model.checkpoint.unet.register_forward_pre_hook(stop)
    engine.run(request())
    handle.remove()
    assert seen and seen[0] != before and checksum() == before


def test_recipes_of_both_passes(engine: Engine, checksum: Callable[[], str]) -> None:
    result = engine.run(
        request("a word <lora:first:1>", enable_hr=True, hr_prompt="a word <lora:second:1>", hr_upscaler="Latent", negative_prompt="other")
    )
    hashes = {name: (name.encode().hex() * 4)[:12] for name in ("first", "second")}
    assert f'Lora hashes: "first: {hashes["first"]}, second: {hashes["second"]}"' in result.infotexts[0]
    files = engine.networks.embeddings
    word, other = (files.shorthash(next(e for e in files.all() if e.name == name)) for name in ("word", "other"))
    # the latest text in front: each pass encodes the negative prompt before the prompt
    assert f'TI hashes: "word: {word}, other: {other}, word: {word}, other: {other}"' in result.infotexts[0]


def test_batches_of_one_job_tell_about_a_text_once(engine: Engine, checksum: Callable[[], str]) -> None:
    result = engine.run(request("a word", n_iter=2))
    assert all(text.count("word: ") == 1 for text in result.infotexts) and "TI hashes" in result.infotexts[1]


def test_only_the_first_prompt_of_a_batch_has_networks(engine: Engine, checksum: Callable[[], str]) -> None:
    result = engine.run(request(["a cat", "a cat <lora:first:1>"], batch_size=2))
    assert "Lora hashes" not in result.infotexts[1]


def test_without_extra_networks_tags_only_go_away(engine: Engine, checksum: Callable[[], str]) -> None:
    result = engine.run(request(disable_extra_networks=True))
    assert result.images[0].tobytes() == picture(engine, request("a cat ")) and "Lora hashes" not in result.infotexts[0]


def test_a_missing_network_is_commented_on(engine: Engine, checksum: Callable[[], str]) -> None:
    result = engine.run(request("a cat <lora:nope:1>"))
    assert "Lora not found: nope" in result.comments and "Lora hashes" not in result.infotexts[0]


def test_the_settings_network_stands_in_every_prompt(engine: Engine, checksum: Callable[[], str]) -> None:
    result = engine.run(request("a cat", override_settings={"sd_lora": "first"}, n_iter=2))
    assert result.all_prompts == ["a cat<lora:first:1.0>"] * 2
    assert result.images[0].tobytes() == picture(engine, request("a cat<lora:first:1>"))


def test_old_emphasis_knows_embeddings(engine: Engine, checksum: Callable[[], str]) -> None:
    old = {"use_old_emphasis_implementation": True}
    assert picture(engine, request("a word", override_settings=old)) == picture(engine, request("a word"))
    assert picture(engine, request("a word")) != picture(engine, request("a cat"))
