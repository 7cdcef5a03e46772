"""Faults injected into every stage: the job recovers and says so, or fails with a typed error, and the next job works."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from modules.engine.engine import Engine
from modules.engine.paths import PROGRAM, Paths
from modules.pipeline.failures import NotANumber, OutOfMemory
from modules.pipeline.processing import StableDiffusionProcessingImg2Img, StableDiffusionProcessingTxt2Img
from modules.settings.store import Options

AVATAR = PROGRAM / "models" / "Stable-diffusion" / "avatar.safetensors"
pytestmark = pytest.mark.skipif(not AVATAR.is_file(), reason="the avatar model is not in this checkout")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine(SimpleNamespace(no_half=True, use_cpu=["all"]), Paths.from_flags(tmp_path_factory.mktemp("data")), Options())
    yield made
    made.close()


@pytest.fixture
def model(engine: Engine) -> Any:
    return engine.models.get(engine.checkpoints.get(None))


def in_half(monkeypatch: pytest.MonkeyPatch, model: Any, name: str, dtype: torch.dtype) -> Any:
    """A network of the model exchanged for a copy in half precision, for this test."""
    net = copy.deepcopy(getattr(model.checkpoint, name)).to(dtype)
    monkeypatch.setattr(model.checkpoint, name, net)
    return net


@pytest.fixture(scope="module")
def expected(engine: Engine) -> Any:
    """The picture when nothing goes wrong."""
    return engine.run(txt2img())


def txt2img(**values: object) -> StableDiffusionProcessingTxt2Img:
    fields: dict = {
        "prompt": "1girl",
        "negative_prompt": "bad",
        "steps": 2,
        "seed": 5,
        "width": 64,
        "height": 64,
        "do_not_save_samples": True,
    }
    return StableDiffusionProcessingTxt2Img(**fields | {"sampler_name": "Euler"} | values)


def out_of_memory(*_: object) -> Tensor:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def nan_like(result: Tensor) -> Tensor:
    spoilt = result.clone()
    spoilt[-1, -1, -1, -1] = float("nan")  # not the first element
    return spoilt


class Faults:
    """Makes calls of a network fail while `when` says so; counts the calls."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, fail: str, when: Callable[[int, tuple[Any, ...]], bool]
    ) -> None:
        self.calls = 0
        original = getattr(owner, name)

        def forward(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            faulty = when(self.calls, args)
            if faulty and fail == "memory":
                out_of_memory()
            result = original(*args, **kwargs)
            return nan_like(result) if faulty else result

        monkeypatch.setattr(owner, name, forward, raising=False)


def difference(first: Any, second: Any) -> int:
    return max(abs(a - b) for a, b in zip(first.images[0].tobytes(), second.images[0].tobytes(), strict=True))


def test_a_full_memory_at_one_step_splits_the_batch(engine, model, monkeypatch, expected):
    with monkeypatch.context() as patch:
        Faults(patch, model.checkpoint.unet, "forward", "memory", lambda call, args: call > 1 and args[0].shape[0] > 1)
        result = engine.run(txt2img())
    assert "Recovery: UNet batch split" in result.infotexts[0]
    assert "ran out of memory" in result.comments and "batch split" in result.comments
    assert difference(result, expected) <= 2
    assert "Recovery" not in engine.run(txt2img()).infotexts[0]


def test_attention_goes_in_slices_before_a_job_is_given_up(engine, model, monkeypatch):
    from modules.nets.attention_methods import current

    with monkeypatch.context() as patch:
        Faults(patch, model.checkpoint.unet, "forward", "memory", lambda *_: current().method != "sub-quadratic")
        result = engine.run(txt2img())
    assert "UNet batch split / UNet attention in slices" in result.infotexts[0]


def test_a_step_that_never_fits_is_a_typed_error_and_the_next_job_works(engine, model, monkeypatch, expected):
    with monkeypatch.context() as patch:
        Faults(patch, model.checkpoint.unet, "forward", "memory", lambda *_: True)
        with pytest.raises(OutOfMemory, match="not enough memory for the UNet") as error:
            engine.run(txt2img())
    assert error.value.stage == "UNet"
    assert difference(engine.run(txt2img()), expected) == 0


def test_what_a_failed_attempt_held_is_given_back(engine, model, monkeypatch):
    held: list[weakref.ref[Tensor]] = []

    def forward(x: Tensor, *_: Any) -> Tensor:
        large = x.new_zeros(1000)
        held.append(weakref.ref(large))
        out_of_memory(large)
        return large

    with monkeypatch.context() as patch:
        patch.setattr(model.checkpoint.unet, "forward", forward)
        with pytest.raises(OutOfMemory):
            engine.run(txt2img())
    gc.collect()
    assert len(held) == 3 and not any(ref() is not None for ref in held)


def test_nan_at_one_step_is_computed_again_in_float32(engine, model, monkeypatch):
    unet = in_half(monkeypatch, model, "unet", torch.bfloat16)
    expected = engine.run(txt2img())
    with monkeypatch.context() as patch:
        faults = Faults(patch, unet, "forward", "nan", lambda call, _: call >= 2 and unet.dtype == torch.bfloat16)
        result = engine.run(txt2img())
    assert faults.calls == 4  # once as it was, then with better attention, then in float32
    assert "UNet attention in float32 / UNet in float32" in result.infotexts[0]
    assert 0 < difference(result, expected) < 40
    assert unet.dtype == torch.bfloat16
    assert difference(engine.run(txt2img()), expected) == 0


def test_nan_in_float32_is_an_error_that_names_the_checkpoint(engine, model, monkeypatch):
    with monkeypatch.context() as patch:
        Faults(patch, model.checkpoint.unet, "forward", "nan", lambda *_: True)
        with pytest.raises(NotANumber, match="the UNet of 'avatar' gives NaN also in float32"):
            engine.run(txt2img())
    assert engine.run(txt2img()).images


def test_without_the_check_nan_passes(tmp_path, monkeypatch):
    engine = Engine(SimpleNamespace(no_half=True, use_cpu=["all"], disable_nan_check=True), Paths.from_flags(tmp_path), Options())
    model = engine.models.get(engine.checkpoints.get(None))
    with monkeypatch.context() as patch:
        Faults(patch, model.checkpoint.unet, "forward", "nan", lambda *_: True)
        assert engine.run(txt2img()).images
    engine.close()


def test_a_vae_that_does_not_fit_decodes_in_tiles(engine, model, monkeypatch, expected):
    with monkeypatch.context() as patch:
        Faults(patch, model.checkpoint.vae, "decode", "memory", lambda *_: True)
        result = engine.run(txt2img())
    assert "Recovery: VAE decode in tiles" in result.infotexts[0]
    assert difference(result, expected) <= 1


def test_tiles_get_smaller_until_they_fit(engine, model, monkeypatch):
    sides: list[int] = []

    def tiled(vae: Any, z: Tensor, tile: int) -> Tensor:
        sides.append(tile)
        return out_of_memory() if tile > 128 else torch.zeros(1, 3, 64, 64)

    with monkeypatch.context() as patch:
        patch.setattr("modules.pipeline.model.decode_tiled", tiled)
        Faults(patch, model.checkpoint.vae, "decode", "memory", lambda *_: True)
        assert engine.run(txt2img()).images
    assert sides == [512, 256, 128]


def test_latents_are_kept_while_the_decoder_fails(engine, model, monkeypatch):
    """The finished latents are decoded again; nothing is sampled twice."""
    with monkeypatch.context() as patch:
        unet = Faults(patch, model.checkpoint.unet, "forward", "nan", lambda *_: False)
        Faults(patch, model.checkpoint.vae, "decode", "memory", lambda *_: True)
        engine.run(txt2img(steps=3))
    assert unet.calls == 3


def test_an_encoder_that_does_not_fit_works_in_tiles(engine, model, monkeypatch):
    from PIL import Image

    def request() -> StableDiffusionProcessingImg2Img:
        init = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
        return StableDiffusionProcessingImg2Img(
            prompt="1girl", steps=2, seed=3, width=64, height=64, sampler_name="Euler", init_images=[init], do_not_save_samples=True
        )

    expected = engine.run(request())
    with monkeypatch.context() as patch:
        Faults(patch, model.checkpoint.vae, "encode", "memory", lambda *_: True)
        result = engine.run(request())
    assert "Recovery: VAE encode in tiles" in result.infotexts[0]
    assert difference(result, expected) <= 1


@pytest.mark.parametrize(
    ("settings", "label", "kept"),
    [
        ({}, "VAE decode in float32", torch.float32),
        ({"auto_vae_precision_bfloat16": True}, "VAE decode in bfloat16", torch.bfloat16),
        ({"auto_vae_precision_bfloat16": True, "auto_vae_precision": False}, "VAE decode in bfloat16", torch.bfloat16),
    ],
)
def test_a_vae_that_gives_nan_goes_up_in_precision(engine, model, monkeypatch, settings, label, kept):
    vae = in_half(monkeypatch, model, "vae", torch.float16)
    with monkeypatch.context() as patch:
        Faults(patch, vae, "decode", "nan", lambda *_: vae.dtype == torch.float16)
        result = engine.run(txt2img(override_settings=settings))
        assert f"Recovery: {label}" in result.infotexts[0]
        assert "gave NaN" in result.comments
        assert vae.dtype == kept
        assert "Recovery" not in engine.run(txt2img()).infotexts[0]


def test_a_black_picture_is_refused_where_no_other_precision_is_allowed(engine, model, monkeypatch):
    vae = in_half(monkeypatch, model, "vae", torch.bfloat16)
    with monkeypatch.context() as patch:
        Faults(patch, vae, "decode", "nan", lambda *_: True)
        with pytest.raises(NotANumber, match="the VAE of 'avatar' gives NaN in bfloat16.*revert VAE to 32-bit"):
            engine.run(txt2img(override_settings={"auto_vae_precision": False}))


def test_texts_that_do_not_fit_are_a_typed_error(engine, model, monkeypatch):
    with monkeypatch.context() as patch:
        Faults(patch, model.checkpoint.text_l, "forward", "memory", lambda *_: True)
        with pytest.raises(OutOfMemory, match="not enough memory for the text encoder"):
            engine.run(txt2img(prompt="something new"))
    assert engine.run(txt2img(prompt="something new")).images


def test_other_errors_pass_through(engine, model, monkeypatch):
    def broken(*_: Any, **__: Any) -> Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with monkeypatch.context() as patch:
        patch.setattr(model.checkpoint.unet, "forward", broken)
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            engine.run(txt2img())
    assert engine.run(txt2img()).images
