"""Each model family draws a picture through the engine, from text and from a picture, and what it is told has an effect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine.small_models import write
from PIL import Image

from modules.engine.engine import Engine
from modules.engine.paths import Paths
from modules.pipeline.processing import RequestError, StableDiffusionProcessingImg2Img, StableDiffusionProcessingTxt2Img
from modules.prompt.errors import PromptError
from modules.settings.store import Options


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(SimpleNamespace(no_half=True, use_cpu=["all"]), Paths.from_flags(tmp_path), Options())
    yield made
    made.close()


def draw(engine: Engine, **fields: Any) -> Any:
    values: dict[str, Any] = {"prompt": "a cat", "steps": 2, "seed": 5, "width": 64, "height": 64, "do_not_save_samples": True} | fields
    made = StableDiffusionProcessingImg2Img if "init_images" in values else StableDiffusionProcessingTxt2Img
    return engine.run(made(**values))


def added(engine: Engine, family: str) -> None:
    write(engine.paths.data, family)
    engine.checkpoints.refresh()


def picture(colour: str, side: int = 64) -> Image.Image:
    image = Image.new("RGB", (side, side), colour)
    image.paste("white", (8, 8, 24, 40))
    return image


@pytest.mark.parametrize("family", ["sd1", "pix2pix", "alt", "sd3", "unclip", "depth"])
def test_a_picture_from_text(engine: Engine, family: str) -> None:
    added(engine, family)
    result = draw(engine)
    assert result.images[0].size == (64, 64)
    assert f"Model: {family}" in result.infotexts[0]
    assert draw(engine).images[0] == result.images[0]
    if family != "pix2pix":
        assert draw(engine, prompt="cat , cat").images[0] != result.images[0]


@pytest.mark.parametrize("family", ["pix2pix", "sd3", "unclip", "depth"])
def test_a_picture_from_a_picture(engine: Engine, family: str) -> None:
    added(engine, family)
    red, blue = (draw(engine, init_images=[picture(colour)], denoising_strength=0.6, steps=4).images[0] for colour in ("red", "blue"))
    assert red.size == (64, 64)
    assert red != blue


def test_sd3_rounds_sizes_down_to_16(engine: Engine) -> None:
    added(engine, "sd3")
    result = draw(engine, width=72, height=90)
    assert result.images[0].size == (64, 80)
    assert "Size: 64x80" in result.infotexts[0]


def test_sd3_takes_t5_in_where_the_setting_asks_for_it(engine: Engine) -> None:
    added(engine, "sd3")
    without = draw(engine)
    with_t5 = draw(engine, override_settings={"sd3_enable_t5": True})
    assert with_t5.images[0] != without.images[0]
    assert draw(engine).images[0] == without.images[0]
    engine.models.forget()
    (engine.paths.models / "CLIP" / "t5xxl_fp16.safetensors").unlink()
    missing = draw(engine, override_settings={"sd3_enable_t5": True})
    assert "put t5xxl.safetensors into" in missing.comments
    assert missing.images[0] == without.images[0]


def test_altdiffusion_without_its_tokenizer_says_where_it_belongs(engine: Engine) -> None:
    added(engine, "alt")
    (engine.paths.models / "CLIP" / "sentencepiece.bpe.model").unlink()
    with pytest.raises(PromptError, match="sentencepiece.bpe.model, into"):
        draw(engine)


def test_families_that_cannot_go_on_for_each_other_say_so(engine: Engine) -> None:
    for family in ("alt", "sd3"):
        added(engine, family)
    main = {"sd_model_checkpoint": "alt"}
    with pytest.raises(RequestError, match="refiner_checkpoint: 'sd3' takes other inputs"):
        draw(engine, refiner_checkpoint="sd3", refiner_switch_at=0.5, override_settings=main)
    hires = {"enable_hr": True, "denoising_strength": 0.5, "hr_scale": 1.5, "hr_checkpoint_name": "sd3", "override_settings": main}
    with pytest.raises(RequestError, match="latents of another kind"):
        draw(engine, hr_upscaler="Latent", **hires)
    assert draw(engine, hr_upscaler="Lanczos", **hires).images[0].size == (96, 96)
