"""img2img as the engine runs it: what its pictures depend on, what it refuses, what it writes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_data import data_folder, golden, link_tree
from PIL import Image, ImageChops

from modules import flags
from modules.engine.engine import Engine
from modules.pipeline.batch_folder import FolderBatch, process_folder
from modules.pipeline.processing import RequestError, StableDiffusionProcessingImg2Img, StableDiffusionProcessingTxt2Img
from modules.pipeline.runtime import Runtime

SIZE = 64


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    data = tmp_path_factory.mktemp("data")
    link_tree(data_folder(), data)
    engine = Engine(flags.parse(["--no-half", "--precision", "full", "--data-dir", str(data)]))
    engine.options.set("randn_source", "CPU")
    engine.options.set("sd_model_checkpoint", "tiny-sd1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield engine
    engine.close()
    torch.set_num_threads(threads)


def picture(name: str = "init") -> Image.Image:
    with Image.open(golden("inputs", f"{name}.png")) as image:
        return image.convert("RGB")


def request(**fields: Any) -> StableDiffusionProcessingImg2Img:
    values: dict[str, Any] = {"prompt": "a cat", "steps": 2, "width": SIZE, "height": SIZE, "seed": 5, "sampler_name": "Euler"}
    values |= {"init_images": [picture()], "do_not_save_samples": True, "do_not_save_grid": True}
    return StableDiffusionProcessingImg2Img(**{**values, **fields})


def draw(engine: Engine, **fields: Any) -> Any:
    return engine.submit(request(**fields)).wait()


def half_mask() -> Image.Image:
    mask = Image.new("L", (128, 64))
    mask.paste(255, (0, 0, 64, 64))
    return mask


def same(a: Image.Image, b: Image.Image) -> bool:
    return ImageChops.difference(a, b).getbbox() is None


def test_a_request_gives_the_same_picture_whatever_ran_before(engine: Engine) -> None:
    first = draw(engine)
    other = StableDiffusionProcessingTxt2Img(prompt="x", steps=1, width=64, height=64, seed=9, do_not_save_samples=True)
    engine.submit(other).wait()
    torch.manual_seed(1)
    assert same(first.images[0], draw(engine).images[0])
    assert "Denoising strength: 0.75" in first.infotexts[0]


def test_one_picture_fills_the_batch_and_several_make_it(engine: Engine) -> None:
    assert len(draw(engine, batch_size=2).images) == 2
    two = draw(engine, batch_size=3, init_images=[picture(), picture("init2")])
    assert len(two.images) == 2
    alone = draw(engine, init_images=[picture()])
    assert np.abs(np.asarray(two.images[0], int) - np.asarray(alone.images[0], int)).max() <= 1


@pytest.mark.parametrize("sampler", ["Euler", "DDIM"])
def test_what_is_not_masked_stays(engine: Engine, sampler: str) -> None:
    fields = {"mask": half_mask(), "mask_blur": 0, "width": 128, "sampler_name": sampler, "inpainting_fill": 1}
    image = draw(engine, **fields, inpaint_full_res=False).images[0]
    right = (64, 0, 128, 64)
    assert same(image.crop(right), picture().crop(right))
    assert not same(image.crop((0, 0, 64, 64)), picture().crop((0, 0, 64, 64)))


def test_only_masked_keeps_the_size_of_the_picture(engine: Engine) -> None:
    done = draw(engine, mask=half_mask(), mask_blur=0, inpaint_full_res_padding=4)
    assert done.images[0].size == (128, 64)
    assert "Inpaint area: Only masked, Masked area padding: 4, Masked content: fill" in done.infotexts[0]


def test_an_empty_mask_is_ordinary_img2img_with_a_remark(engine: Engine) -> None:
    done = draw(engine, mask=Image.new("L", (128, 64)))
    assert same(done.images[0], draw(engine).images[0])
    assert "mask is blank" in done.comments


def test_a_mask_with_latent_upscale_works_where_sizes_differ(engine: Engine) -> None:
    done = draw(engine, init_images=[picture("init_big")], mask=half_mask(), resize_mode=3, inpaint_full_res=False)
    assert done.images[0].size == (SIZE, SIZE)


def test_masks_are_returned_and_saved_on_request(engine: Engine, tmp_path: Path) -> None:
    settings = {"return_mask": True, "return_mask_composite": True, "save_mask": True, "save_mask_composite": True}
    fields = {"outpath_samples": str(tmp_path), "do_not_save_samples": False, "mask": half_mask()}
    done = draw(engine, override_settings=settings, **fields, width=128, inpaint_full_res=False)
    assert [image.mode for image in done.images] == ["RGB", "RGB", "RGBA"]
    assert len(done.infotexts) == 1
    suffixes = sorted(path.stem.removeprefix("00000-5").removeprefix("00001-5").removeprefix("00002-5") for path in tmp_path.rglob("*.png"))
    assert suffixes == ["", "-mask", "-mask-composite"]


def test_init_pictures_are_kept_under_their_hash(engine: Engine, tmp_path: Path) -> None:
    settings = {"save_init_img": True, "outdir_init_images": str(tmp_path)}
    name = hashlib.md5(picture().tobytes()).hexdigest()
    done = draw(engine, override_settings=settings)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.png"]
    assert f"Init image hash: {name}" in done.infotexts[0]


def test_the_noise_multiplier_of_the_settings_counts_and_an_override_does_not(engine: Engine) -> None:
    plain = draw(engine).images[0]
    assert same(plain, draw(engine, override_settings={"initial_noise_multiplier": 0.5}).images[0])
    less = draw(engine, initial_noise_multiplier=0.5)
    assert not same(plain, less.images[0]) and "Noise multiplier: 0.5" in less.infotexts[0]


def test_extra_noise_changes_the_picture(engine: Engine) -> None:
    more = draw(engine, override_settings={"img2img_extra_noise": 0.1})
    assert "Extra noise: 0.1" in more.infotexts[0] and not same(more.images[0], draw(engine).images[0])


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"init_images": []}, "init_images"),
        ({"init_images": [Image.new("RGB", (8, 8))] * 2}, "init_images"),
        ({"denoising_strength": -0.1}, "denoising_strength"),
        ({"denoising_strength": float("nan")}, "denoising_strength"),
        ({"mask_blur": 10**9, "mask": Image.new("L", (8, 8), 255)}, "mask_blur_x"),
        ({"inpaint_full_res_padding": -1, "mask": Image.new("L", (8, 8), 255)}, "inpaint_full_res_padding"),
    ],
)
def test_unusable_fields_are_named(engine: Engine, fields: dict[str, Any], name: str) -> None:
    with pytest.raises(RequestError) as error:
        draw(engine, **fields)
    assert error.value.field == name


def runtime_of(engine: Engine) -> Runtime:
    return Runtime(engine.options, lambda name: None, lambda name: name == "abc", engine.paths.data)  # type: ignore[arg-type,return-value]


def folder_of_pictures(folder: Path) -> Path:
    for name in ("p2", "p10"):
        picture().save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def test_a_folder_is_run_in_order_with_one_seed(engine: Engine, tmp_path: Path) -> None:
    seen: list[Any] = []
    batch = FolderBatch(folder_of_pictures(tmp_path), output_dir="out", scale_by=0.5)
    done = process_folder(request(seed=-1), batch, runtime_of(engine), lambda p, _: seen.append(p) or "done")  # type: ignore[arg-type]
    assert [p.override_settings["samples_filename_pattern"] for p in seen] == ["p2", "p10"]
    assert {p.seed for p in seen} != {-1} and len({p.seed for p in seen}) == 1
    assert all((p.width, p.height, p.outpath_samples) == (64, 32, "out") for p in seen)
    assert list(done.skipped) == ["broken.png"] and len(done.results) == 2


def test_masks_of_a_folder_go_by_stem_or_one_serves_all(engine: Engine, tmp_path: Path) -> None:
    pictures, masks, seen = folder_of_pictures(tmp_path), tmp_path / "masks", []
    masks.mkdir()
    half_mask().save(masks / "p2.jpg")
    batch = FolderBatch(files=(pictures / "p2.png", pictures / "p10.png"), mask_dir=masks)
    process_folder(request(), batch, runtime_of(engine), lambda p, _: seen.append(p))  # type: ignore[arg-type,func-returns-value]
    assert len(seen) == 2 and all(p.image_mask.size == (128, 64) for p in seen)
    half_mask().save(masks / "other.png")
    done = process_folder(request(), batch, runtime_of(engine), lambda p, _: None)  # type: ignore[arg-type,return-value]
    assert done.skipped == {"p10.png": "there is no mask named 'p10'"}


def test_a_folder_takes_what_is_asked_for_from_infotexts(engine: Engine, tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_text("parameters", "a dog\nNegative prompt: bad\nSteps: 7, Sampler: DDIM, CFG scale: 3.5, Seed: 77, Model hash: abc")
    picture().save(tmp_path / "p.png", pnginfo=told)
    seen: list[Any] = []
    fields = ("Prompt", "Seed", "Steps", "Model hash")
    process_folder(request(), FolderBatch(tmp_path, info_fields=fields), runtime_of(engine), lambda p, _: seen.append(p))  # type: ignore[arg-type,func-returns-value]
    p = seen[0]
    assert (p.prompt, p.negative_prompt, p.seed, p.steps, p.sampler_name, p.cfg_scale) == ("a cat a dog", "", 77, 7, "Euler", 7.0)
    assert p.override_settings["sd_model_checkpoint"] == "abc"


def test_a_missing_folder_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no folder"):
        process_folder(request(), FolderBatch(tmp_path / "nowhere"), runtime_of(engine))


def test_results_of_a_folder_are_files_named_like_their_pictures(engine: Engine, tmp_path: Path) -> None:
    seen: list[Any] = []
    batch = FolderBatch(folder_of_pictures(tmp_path), output_dir=tmp_path / "out")
    process_folder(request(do_not_save_samples=False), batch, runtime_of(engine), lambda p, _: seen.append(p))  # type: ignore[arg-type,func-returns-value]
    for p in [*seen, *seen]:
        engine.submit(p).wait()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p10-1.png", "p10.png", "p2-1.png", "p2.png"]
