"""Token merging and HyperTile within jobs: which setting counts, what the infotext says, and that the model is itself again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from golden_data import data_folder
from PIL import Image

from modules.engine.engine import Engine
from modules.engine.paths import Paths
from modules.pipeline.optimizations import CountedRandom
from modules.pipeline.processing import StableDiffusionProcessingImg2Img, StableDiffusionProcessingTxt2Img
from modules.settings.store import Options, SettingsView


def ratio(kind: Any, overrides: dict[str, Any], *, for_hr: bool = False, **own: float) -> float:
    p = kind(override_settings=overrides)
    p.run = SimpleNamespace(settings=SettingsView(Options(), overrides))
    for name, value in own.items():
        setattr(p, name, value)
    return p.get_token_merging_ratio(for_hr=for_hr)


MAIN, IMG2IMG, HR = "token_merging_ratio", "token_merging_ratio_img2img", "token_merging_ratio_hr"


@pytest.mark.parametrize(
    ("settings", "own", "first", "second"),
    [
        ({}, {}, 0, 0),
        ({MAIN: 0.3}, {}, 0.3, 0.3),
        ({HR: 0.5}, {}, 0, 0.5),
        ({MAIN: 0.3, HR: 0.5}, {}, 0.3, 0.5),
        ({MAIN: 0.3}, {MAIN: 0.6}, 0.6, 0.6),
        ({HR: 0.5}, {HR: 0.7, MAIN: 0.2}, 0.2, 0.7),
        ({IMG2IMG: 0.4}, {}, 0, 0),
    ],
)
def test_ratio_of_txt2img(settings, own, first, second):
    assert ratio(StableDiffusionProcessingTxt2Img, settings, **own) == first
    assert ratio(StableDiffusionProcessingTxt2Img, settings, for_hr=True, **own) == second


@pytest.mark.parametrize(
    ("settings", "own", "expected"),
    [({}, {}, 0), ({IMG2IMG: 0.4}, {}, 0.4), ({MAIN: 0.3, IMG2IMG: 0.4}, {}, 0.3), ({MAIN: 0.3}, {MAIN: 0.6}, 0.6)],
)
def test_ratio_of_img2img(settings, own, expected):
    assert ratio(StableDiffusionProcessingImg2Img, settings, **own) == expected


def test_a_stream_can_be_taken_up_where_it_was():
    first, second = CountedRandom(7), CountedRandom(7)
    for options in (3, 5, 2, 7):
        first.choice(range(options))
    second.skip_to(first.drawn)
    assert [first.choice(range(9)) for _ in range(5)] == [second.choice(range(9)) for _ in range(5)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("data")
    source = data_folder("models/Stable-diffusion/tiny-sd1.safetensors") / "models" / "Stable-diffusion"
    (folder / "models" / "Stable-diffusion").mkdir(parents=True)
    for name in ("tiny-sd1.safetensors", "tiny-sd1.yaml"):
        (folder / "models" / "Stable-diffusion" / name).write_bytes((source / name).read_bytes())
    made = Engine(SimpleNamespace(no_half=True, use_cpu=["all"]), Paths.from_flags(folder), Options())
    yield made
    made.close()


def request(kind: Any = StableDiffusionProcessingTxt2Img, **values: object) -> Any:
    fields: dict = {"prompt": "cat", "steps": 2, "seed": 5, "width": 64, "height": 64, "do_not_save_samples": True, "sampler_name": "Euler"}
    return kind(**fields | values)


def test_merged_tokens_change_the_picture_and_leave_the_model_alone(engine):
    plain = engine.run(request())
    merged = engine.run(request(override_settings={MAIN: 0.5}))
    assert "Token merging ratio: 0.5" in merged.infotexts[0]
    assert merged.images[0].tobytes() != plain.images[0].tobytes()
    assert engine.run(request()).images[0].tobytes() == plain.images[0].tobytes()


def test_the_second_pass_has_a_ratio_of_its_own(engine):
    hires = {"enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.5}
    plain = engine.run(request(**hires))
    merged = engine.run(request(**hires, override_settings={HR: 0.5}))
    assert "Token merging ratio hr: 0.5" in merged.infotexts[0] and "Token merging ratio:" not in merged.infotexts[0]
    assert merged.images[0].tobytes() != plain.images[0].tobytes()


def test_the_model_is_itself_again_after_a_failed_job(engine, monkeypatch):
    model = engine.models.get(engine.checkpoints.get(None))
    settings = {MAIN: 0.5, "hypertile_enable_unet": True, "tiling": True}
    with monkeypatch.context() as patch:
        patch.setattr(model.checkpoint.unet, "forward", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            engine.run(request(override_settings=settings))
    layers = list(model.checkpoint.unet.modules())
    assert not any(layer._forward_pre_hooks or layer._forward_hooks for layer in layers)
    assert {layer.padding_mode for layer in layers if hasattr(layer, "padding_mode")} == {"zeros"}


def test_hypertile_says_what_differs_from_the_defaults(engine):
    settings = {"hypertile_enable_unet": True, "hypertile_max_tile_unet": 128, "hypertile_enable_vae": True, "hypertile_swap_size_vae": 1}
    (text,) = engine.run(request(width=256, height=256, override_settings=settings)).infotexts
    assert "Hypertile U-Net: True, Hypertile U-Net max tile size: 128, Hypertile VAE: True, Hypertile VAE swap size: 1" in text
    assert "max depth" not in text and "U-Net swap" not in text


def test_hypertile_for_the_second_pass_alone(engine):
    hires = {"enable_hr": True, "hr_scale": 4, "hr_upscaler": "Latent", "denoising_strength": 0.5}
    plain = engine.run(request(**hires))
    tiled = engine.run(request(**hires, override_settings={"hypertile_enable_unet_secondpass": True, "hypertile_max_tile_unet": 128}))
    assert "Hypertile U-Net second pass: True" in tiled.infotexts[0] and "Hypertile U-Net: True" not in tiled.infotexts[0]
    assert tiled.images[0].tobytes() != plain.images[0].tobytes()


def test_the_encoder_wraps_around_too_where_pictures_tile(engine, monkeypatch):
    model, seen = engine.models.get(engine.checkpoints.get(None)), []
    encode = model.checkpoint.vae.encode
    monkeypatch.setattr(
        model.checkpoint.vae, "encode", lambda x: seen.append(model.checkpoint.vae.encoder.conv_in.padding_mode) or encode(x)
    )
    init = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    for tiling in (True, False):
        engine.run(request(StableDiffusionProcessingImg2Img, init_images=[init], tiling=tiling))
    assert seen == ["circular", "zeros"]
