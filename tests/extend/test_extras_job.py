"""Jobs of the Extras page through the engine: steps, files, folders, stopping, strange pictures."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from modules.engine.engine import Engine
from modules.engine.paths import Paths
from modules.enhance.errors import BadStep, ModelMissing, UnknownUpscaler
from modules.extend.extras import ExtrasRequest, merged_caption
from modules.extend.host import install
from modules.pipeline.processing import RequestError
from modules.settings.store import Options


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    data = tmp_path / "data"
    data.mkdir()
    engine = Engine(Namespace(use_cpu=["all"]), Paths(data, data / "models"), Options(data / "config.json"))
    install(engine, engine.flags)
    yield engine
    engine.close()


def upscale(**values: Any) -> dict[str, dict[str, Any]]:
    args = {"upscale_enabled": True, "upscale_mode": 0, "upscale_by": 2, "upscaler_1_name": "Lanczos", **values}
    return {"Upscale": args}


def picture(width: int = 40, height: int = 24) -> Image.Image:
    return Image.fromarray(np.random.default_rng(5).integers(0, 255, (height, width, 3), dtype=np.uint8))


def test_order_of_the_steps(engine: Engine) -> None:
    names = [script.name for script in engine.scripts.postprocessing().scripts_in_preferred_order()]
    assert names == [
        "Upscale", "GFPGAN", "CodeFormer", "Split oversized images", "Auto focal point crop", "Auto-sized crop",
        "Create flipped copies", "Caption",
    ]  # fmt: skip


def test_settings_reorder_and_remove_steps(engine: Engine) -> None:
    engine.options.set("postprocessing_operation_order", ["Caption", "Upscale"])
    engine.options.set("postprocessing_disable_in_extras", ["GFPGAN", "CodeFormer"])
    names = [script.name for script in engine.scripts.postprocessing().scripts_in_preferred_order()]
    assert names[:3] == ["Caption", "Upscale", "Split oversized images"]
    assert "GFPGAN" not in names
    result = engine.run(ExtrasRequest(images=[picture()], steps=upscale()))
    assert result.images[0].size == (80, 48)


def test_longest_side_is_limited(engine: Engine) -> None:
    result = engine.run(ExtrasRequest(images=[picture(64, 32)], steps=upscale(upscale_by=8, max_side_length=128)))
    assert result.images[0].size == (128, 64)
    assert result.infotexts == ["Postprocess upscale by: 8.0, Max side length: 128, Postprocess upscaler: Lanczos"]


def test_none_skips_the_whole_step(engine: Engine) -> None:
    result = engine.run(ExtrasRequest(images=[picture()], steps=upscale(upscaler_1_name="None", upscaler_2_name="Lanczos")))
    assert result.images[0].size == (40, 24)
    assert result.infotexts == [""]


def test_extra_pictures_pass_through_the_later_steps(engine: Engine) -> None:
    steps = upscale(upscale_mode=1, upscale_to_width=16, upscale_to_height=16, upscaler_1_name="None")
    steps["Split oversized images"] = {"enable": True, "split_threshold": 0.5, "overlap_ratio": 0.2}
    steps["Create flipped copies"] = {"enable": True, "option": ["Horizontal", "Vertical", "Both"]}
    result = engine.run(ExtrasRequest(images=[picture(80, 20)], steps=steps))
    pieces = len(result.images) // 4
    assert pieces >= 4
    assert len(result.images) == pieces * 4
    assert {image.size for image in result.images} == {(16, 16)}


def test_files_keep_their_names_and_what_was_inside(engine: Engine, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a cat\nSteps: 5, Seed: 1, Size: 40x24")
    picture().save(source / "b.png", pnginfo=info)
    picture().save(source / "a.jpg")
    (source / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    (source / "notes.txt").write_text("x")
    steps = {**upscale(), "Create flipped copies": {"enable": True, "option": ["Horizontal"]}}
    result = engine.run(ExtrasRequest(input_dir=str(source), output_dir=str(out), steps=steps, save=True, show_results=False))
    assert sorted(file.name for file in out.iterdir()) == ["a-1.png", "a.png", "b-1.png", "b.png"]
    assert result.images == []
    assert "broken.png is left out" in result.comments
    with Image.open(out / "b.png") as saved:
        assert saved.size == (80, 48)
        assert saved.info["parameters"].startswith("a cat")
        assert saved.info["extras"] == saved.info["postprocessing"] == "Postprocess upscale by: 2.0, Postprocess upscaler: Lanczos"


def test_two_pictures_of_one_stem_do_not_overwrite_each_other(engine: Engine, tmp_path: Path) -> None:
    request = ExtrasRequest(
        images=[picture(), picture()], names=["x.png", "x.jpg"], output_dir=str(tmp_path / "out"), steps=upscale(), save=True
    )
    assert len({*engine.run(request).paths}) == 2


@pytest.mark.parametrize(
    "image",
    [
        Image.linear_gradient("L"),
        Image.linear_gradient("L").convert("P"),
        Image.linear_gradient("L").convert("1"),
        Image.linear_gradient("L").convert("RGBA"),
        Image.linear_gradient("L").convert("CMYK"),
        Image.linear_gradient("L").convert("YCbCr"),
        Image.fromarray((np.arange(256, dtype=np.uint16) * 257)[None].repeat(64, 0)),
        Image.fromarray(np.linspace(0, 1, 256, dtype=np.float32)[None].repeat(64, 0)),
        Image.fromarray(np.full((8, 8), np.nan, dtype=np.float32)),
    ],
    ids=lambda image: image.mode,
)
def test_pictures_of_every_mode(engine: Engine, image: Image.Image) -> None:
    result = engine.run(ExtrasRequest(images=[image], steps=upscale(upscale_by=1.5)))
    assert result.images[0].mode == "RGB"
    if image.mode in ("I;16", "F") and image.width == 256:
        assert result.images[0].convert("L").getextrema() == (0, 255)


def test_extreme_shapes(engine: Engine) -> None:
    steps = {
        **upscale(upscale_mode=1, upscale_to_width=8, upscale_to_height=8, upscale_crop=True),
        "Split oversized images": {"enable": True, "split_threshold": 0.5, "overlap_ratio": 0.2},
        "Auto focal point crop": {"enable": True, "face_weight": 0.9, "entropy_weight": 0.15, "edges_weight": 0.5, "debug": True},
        "Auto-sized crop": {"enable": True},
    }
    for size in ((1, 1), (1, 300), (300, 1)):
        assert engine.run(ExtrasRequest(images=[picture(*size)], steps=steps)).images


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        (upscale(upscaler_1_name="Nope"), UnknownUpscaler),
        (upscale(upscaler_1_name="DAT x2"), ModelMissing),
        (upscale(upscale_by=0), BadStep),
        (upscale(upscale_by=float("nan")), BadStep),
        (upscale(upscale_mode=1, upscale_to_width=0, upscale_to_height=9), BadStep),
        ({"GFPGAN": {"enable": True, "gfpgan_visibility": 1}}, ModelMissing),
        ({"CodeFormer": {"enable": True, "codeformer_visibility": 0.5}}, ModelMissing),
        ({"Auto-sized crop": {"enable": True, "objective": "Nope"}}, BadStep),
        ({"Caption": {"enable": True, "option": ["BLIP"]}}, ModelMissing),
    ],
)
def test_mistakes_are_typed(engine: Engine, steps: dict[str, dict[str, Any]], error: type[Exception]) -> None:
    with pytest.raises(error):
        engine.run(ExtrasRequest(images=[picture()], steps=steps))
    assert engine.run(ExtrasRequest(images=[picture()])).images


def test_a_folder_that_is_not_there(engine: Engine) -> None:
    with pytest.raises(RequestError, match="input_dir"):
        engine.submit(ExtrasRequest(input_dir="/no/such/folder"))


@pytest.mark.parametrize(("action", "expected"), [("Ignore", "new"), ("Keep", None), ("Prepend", "old new"), ("Append", "new old")])
def test_captions_and_existing_ones(action: str, expected: str | None) -> None:
    assert merged_caption("old", "new", action) == expected
    assert merged_caption("", "new", action) == "new"
