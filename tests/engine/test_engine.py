"""The engine with the avatar model: order, progress, stopping, errors, and a model that is never silently another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from modules.engine.checkpoints import CheckpointNotFound
from modules.engine.engine import Engine
from modules.engine.jobs import Job
from modules.engine.paths import PROGRAM, Paths
from modules.pipeline.processing import RequestError, StableDiffusionProcessingTxt2Img
from modules.settings.store import Options
from modules.weights.errors import WeightsError

AVATAR = PROGRAM / "models" / "Stable-diffusion" / "avatar.safetensors"
pytestmark = pytest.mark.skipif(not AVATAR.is_file(), reason="the avatar model is not in this checkout")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine whose data folder is empty, so that it falls back to the model that ships with the program."""
    made = Engine(SimpleNamespace(no_half=True, use_cpu=["all"]), Paths.from_flags(tmp_path), Options())
    yield made
    made.close()


def request(**values: object) -> StableDiffusionProcessingTxt2Img:
    fields: dict = {"prompt": "1girl, pink hair", "steps": 3, "seed": 5, "width": 128, "height": 128} | values
    return StableDiffusionProcessingTxt2Img(**fields)


def test_a_picture_comes_with_its_recipe_and_lies_under_outputs(engine: Engine, tmp_path: Path) -> None:
    result = engine.run(request())
    (path,) = (Path(p) for p in result.paths)
    assert path.is_relative_to(tmp_path / "outputs" / "txt2img-images")
    assert "Seed: 5" in result.infotexts[0] and "Model: avatar" in result.infotexts[0]
    params = (tmp_path / "params.txt").read_text("utf-8")  # written before sampling, which only then resolves the schedule
    assert params == result.infotexts[0].replace("Karras", "Automatic")


def test_the_same_request_gives_the_same_picture(engine: Engine) -> None:
    first, second = (engine.run(request(do_not_save_samples=True)).images[0].tobytes() for _ in range(2))
    assert first == second


def test_pictures_of_a_batch_equal_the_same_pictures_alone(engine: Engine) -> None:
    batch = engine.run(request(batch_size=2, n_iter=2, do_not_save_samples=True, do_not_save_grid=True))
    alone = engine.run(request(seed=8, do_not_save_samples=True)).images[0]
    assert batch.all_seeds == [5, 6, 7, 8]
    difference = max(abs(a - b) for a, b in zip(batch.images[3].tobytes(), alone.tobytes(), strict=True))
    assert difference <= 2


def test_jobs_run_in_order(engine: Engine) -> None:
    jobs = [engine.submit(request(seed=seed, steps=1, do_not_save_samples=True)) for seed in range(3)]
    assert [job.wait(60).seed for job in jobs] == [0, 1, 2]
    assert all(job.state == "done" and job.progress.fraction == 1 for job in jobs)


def wait_for_step(job: Job, step: int) -> None:
    deadline = time.monotonic() + 60
    while job.progress.sampling_step < step and not job.finished and time.monotonic() < deadline:
        time.sleep(0.002)


def test_interrupt_keeps_the_picture_so_far_and_drops_the_rest(engine: Engine) -> None:
    job = engine.submit(request(steps=150, n_iter=3, do_not_save_samples=True, do_not_save_grid=True))
    wait_for_step(job, 2)
    engine.interrupt()
    assert len(job.wait(60).images) == 1
    assert job.progress.sampling_step < 150


def test_skip_goes_on_with_the_next_batch(engine: Engine) -> None:
    job = engine.submit(request(steps=60, n_iter=2, do_not_save_samples=True, do_not_save_grid=True))
    wait_for_step(job, 2)
    engine.skip()
    result = job.wait(120)
    assert len(result.images) == 2
    assert not job.progress.interrupted


def test_previews_are_published(engine: Engine) -> None:
    engine.options.set("show_progress_every_n_steps", 1)
    job = engine.submit(request(do_not_save_samples=True))
    job.wait(60)
    assert job.progress.id_live_preview >= 3
    assert job.progress.current_image is not None and job.progress.current_image.size == (128, 128)


@pytest.mark.parametrize(("field", "value"), [("steps", 0), ("batch_size", 0), ("width", 4), ("n_iter", -1), ("steps", "9")])
def test_a_field_that_cannot_be_used_is_named(engine: Engine, field: str, value: object) -> None:
    with pytest.raises(RequestError, match=field):
        engine.submit(request(**{field: value}))


def test_a_broken_checkpoint_is_an_error_and_the_engine_lives_on(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    (folder / "bad.safetensors").write_bytes(b"<html>404</html>" * 10)
    (folder / "good.safetensors").write_bytes(AVATAR.read_bytes())
    (folder / "good.yaml").write_bytes(AVATAR.with_suffix(".yaml").read_bytes())
    engine.checkpoints.refresh()
    engine.options.set("sd_model_checkpoint", "bad.safetensors")
    with pytest.raises(WeightsError, match="bad.safetensors"):
        engine.run(request())
    engine.options.set("sd_model_checkpoint", "good.safetensors")
    assert engine.run(request(do_not_save_samples=True)).as_dict()["sd_model_name"] == "good"


def test_an_unknown_selected_checkpoint_is_not_replaced_by_another(engine: Engine) -> None:
    engine.options.data["sd_model_checkpoint"] = "gone.safetensors"
    with pytest.raises(CheckpointNotFound, match=r"gone\.safetensors"):
        engine.run(request())


def test_an_unknown_override_is_left_out_with_a_remark(engine: Engine) -> None:
    result = engine.run(request(override_settings={"sd_model_checkpoint": "gone"}, do_not_save_samples=True))
    assert "gone" in result.comments


def test_a_blend_lies_between_its_sides_and_respects_the_setting(engine: Engine) -> None:
    def picture(prompt: str, **override: object) -> bytes:
        return engine.run(request(prompt=prompt, override_settings=override, do_not_save_samples=True)).images[0].tobytes()

    assert picture("red hair:blue hair:1") == picture("red hair")
    assert picture("red hair:blue hair:0") == picture("blue hair")
    assert picture("red hair:blue hair:1", prompt_blend="second") == picture("blue hair")
    assert picture("red hair:blue hair:0.5") not in (picture("red hair"), picture("blue hair"))


def test_the_default_size_is_the_models_own(engine: Engine) -> None:
    assert engine.default_size() == (128, 128)
