"""Models in memory: switching, keeping several, VAE choice, unloading; a failed load changes nothing and memory stays flat."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from engine.small_models import VAE, small_sd1, write
from golden_data import link_tree
from weights.weight_files import prefixed, save

from modules import events
from modules.engine.engine import Engine
from modules.engine.paths import Paths
from modules.nets.vae import AutoencoderKL
from modules.pipeline.processing import StableDiffusionProcessingTxt2Img
from modules.settings.store import Options
from modules.weights.errors import WeightsError
from modules.weights.hashes import sha256_of


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, a VAE, and a file that is none."""
    folder = tmp_path_factory.mktemp("models")
    for seed in (1, 2, 3):
        write(folder, "sd1", seed)
    (folder / "models" / "VAE").mkdir()
    save(folder / "models" / "VAE" / "other.safetensors", other_vae(5))
    (folder / "models" / "Stable-diffusion" / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A data folder with a copy of them."""
    link_tree(written, tmp_path)
    return tmp_path


def replaced(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Write another file in the place of a linked one."""
    path.unlink()
    save(path, state)


def other_vae(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return prefixed("", AutoencoderKL(VAE))


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    made = Engine(SimpleNamespace(no_half=True, use_cpu=["all"]), Paths.from_flags(folder), Options())
    yield made
    made.close()


def model(engine: Engine, name: str, **settings: Any) -> Any:
    stored = engine.options
    view = SimpleNamespace(**{**{key: getattr(stored, key) for key in SETTINGS}, **settings})
    return engine.models.get(engine.checkpoints.get(name), view)


SETTINGS = ("sd_vae", "sd_vae_overrides_per_model_preferences", "sd3_enable_t5")


def names(engine: Engine) -> list[str]:
    return [loaded.name for loaded in engine.models.models]


def draw(engine: Engine, **fields: Any) -> Any:
    values = {"prompt": "a cat", "steps": 4, "seed": 5, "width": 64, "height": 64, "do_not_save_samples": True, "do_not_save_grid": True}
    return engine.run(StableDiffusionProcessingTxt2Img(**(values | fields)))


def test_the_same_checkpoint_is_loaded_once(engine: Engine) -> None:
    assert model(engine, "sd1-1") is model(engine, "sd1-1")


def test_a_changed_file_is_another_model(engine: Engine, folder: Path) -> None:
    first = model(engine, "sd1-1")
    replaced(folder / "models" / "Stable-diffusion" / "sd1-1.safetensors", small_sd1(9))
    second = model(engine, "sd1-1")
    assert second is not first and names(engine) == ["sd1-1"]


def test_one_model_stays_after_a_job_and_two_within_it(engine: Engine) -> None:
    for name in ("sd1-1", "sd1-2", "sd1-3"):
        model(engine, name)
    assert names(engine) == ["sd1-2", "sd1-3"]
    engine.models.end_job()
    assert names(engine) == ["sd1-3"]


@pytest.mark.parametrize(("limit", "cached"), [(3, 0), (1, 2), (2, 1)])
def test_as_many_stay_as_the_settings_say(engine: Engine, limit: int, cached: int) -> None:
    engine.options.set("sd_checkpoints_limit", limit)
    engine.options.set("sd_checkpoint_cache", cached)
    kept = [model(engine, name) for name in ("sd1-1", "sd1-2", "sd1-3")]
    engine.models.end_job()
    assert engine.models.models == kept
    assert model(engine, "sd1-1") is kept[0] and names(engine)[-1] == "sd1-1"


def test_a_load_that_fails_leaves_the_model_usable(engine: Engine) -> None:
    before = draw(engine, override_settings={"sd_model_checkpoint": "sd1-1"})
    with pytest.raises(WeightsError, match="broken.safetensors"):
        draw(engine, override_settings={"sd_model_checkpoint": "broken"})
    assert names(engine) == ["sd1-1"]
    assert draw(engine, override_settings={"sd_model_checkpoint": "sd1-1"}).images[0] == before.images[0]


def test_loading_is_told_to_scripts(engine: Engine) -> None:
    heard: list[str] = []
    events.add("model_loaded", lambda loaded: heard.append(loaded.name))
    try:
        model(engine, "sd1-1")
        model(engine, "sd1-1")
        model(engine, "sd1-2")
    finally:
        events.callbacks.remove(lambda entry: entry.script == __file__)
    assert heard == ["sd1-1", "sd1-2"]


def test_a_refiner_and_back_again_in_every_batch(engine: Engine) -> None:
    engine.options.set("sd_model_checkpoint", "sd1-1")
    fields = {"refiner_checkpoint": "sd1-2", "refiner_switch_at": 0.5, "n_iter": 2}
    both = draw(engine, **fields)
    again = draw(engine, **fields)
    assert [image.tobytes() for image in both.images] == [image.tobytes() for image in again.images]
    assert names(engine) == ["sd1-1"]
    assert both.images[0] not in (draw(engine).images[0], draw(engine, override_settings={"sd_model_checkpoint": "sd1-2"}).images[0])
    assert draw(engine, seed=6, **(fields | {"n_iter": 1})).images[0] == both.images[1]


@pytest.mark.slow
def test_fifty_switches_leave_no_model_behind(engine: Engine) -> None:
    seen: list[weakref.ref[Any]] = []
    counts = []
    for turn in range(50):
        loaded = model(engine, f"sd1-{turn % 3 + 1}", sd_vae="other.safetensors" if turn % 2 else "Automatic")
        seen.append(weakref.ref(loaded.checkpoint.unet))
        del loaded
        engine.models.end_job()
        if turn in (4, 49):
            gc.collect()
            counts.append(sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects()))
    assert sum(ref() is not None for ref in {id(ref()): ref for ref in seen if ref() is not None}.values()) == 1
    assert counts[1] <= counts[0] + 300  # a second model would be a thousand; a VAE in place of another makes a difference of some


def test_unloading_and_what_brings_it_back(engine: Engine) -> None:
    loaded = model(engine, "sd1-1")
    moves: list[str] = []
    loaded.move = lambda device: moves.append(str(device))
    engine.unload_models()
    assert moves == ["cpu"]
    engine.reload_models()
    assert moves[-1] == str(loaded.device) and len(moves) == 2
    engine.unload_models()
    assert model(engine, "sd1-1") is loaded and len(moves) == 4


def test_only_the_model_in_use_is_on_its_device(engine: Engine) -> None:
    engine.options.set("sd_checkpoints_limit", 2)
    first, where = model(engine, "sd1-1"), {}
    first.move = lambda device: where.__setitem__("first", device)
    second = model(engine, "sd1-2")
    second.move = lambda device: where.__setitem__("second", device)
    assert where["first"] == "cpu"
    engine.models.use(first)
    assert where == {"first": first.device, "second": "cpu"}
    engine.options.set("sd_checkpoints_keep_in_cpu", False)
    engine.models.use(second)
    assert where == {"first": first.device, "second": second.device}


def test_overrides_that_are_not_taken_back_become_the_settings(engine: Engine) -> None:
    engine.options.set("sd_model_checkpoint", "sd1-1")
    overrides = {"sd_model_checkpoint": "sd1-2", "CLIP_stop_at_last_layers": 2}
    draw(engine, override_settings=overrides)
    assert (engine.options.sd_model_checkpoint, engine.options.CLIP_stop_at_last_layers) == ("sd1-1", 1)
    kept = draw(engine, override_settings=overrides | {"sd_vae": "None"}, override_settings_restore_afterwards=False)
    assert (engine.options.sd_model_checkpoint, engine.options.CLIP_stop_at_last_layers) == ("sd1-2", 2)
    assert draw(engine).images[0] == kept.images[0]
    draw(engine, override_settings={"sd_model_checkpoint": "nothing-like-it"}, override_settings_restore_afterwards=False)
    assert engine.options.sd_model_checkpoint == "sd1-2"


# Which VAE


def test_the_setting_names_a_vae_and_the_infotext_says_so(engine: Engine, folder: Path) -> None:
    plain = draw(engine, override_settings={"sd_model_checkpoint": "sd1-1"})
    other = draw(engine, override_settings={"sd_model_checkpoint": "sd1-1", "sd_vae": "other.safetensors"})
    digest = sha256_of(folder / "models" / "VAE" / "other.safetensors")[:10]
    assert f"VAE hash: {digest}, VAE: other.safetensors" in other.infotexts[0]
    assert "VAE" not in plain.infotexts[0] and plain.images[0] != other.images[0]
    info = json.loads(other.js())
    assert (info["sd_vae_name"], info["sd_vae_hash"]) == ("other.safetensors", digest)
    back = draw(engine, override_settings={"sd_model_checkpoint": "sd1-1"})
    assert back.images[0] == plain.images[0] and "VAE" not in back.infotexts[0]


def chosen(engine: Engine, **settings: Any) -> str | None:
    return model(engine, "sd1-1", **settings).vae_name


def test_the_order_of_the_rules(engine: Engine, folder: Path) -> None:
    assert chosen(engine) is None
    save(folder / "models" / "VAE" / "sd1-1-special.safetensors", other_vae(6))
    engine.vaes.refresh()
    assert chosen(engine) == "sd1-1-special.safetensors"
    assert chosen(engine, sd_vae="other.safetensors") == "other.safetensors"
    assert chosen(engine, sd_vae="None") is None
    assert chosen(engine, sd_vae="nothing-like-it.pt") is None
    assert chosen(engine, sd_vae="other.safetensors", sd_vae_overrides_per_model_preferences=False) == "sd1-1-special.safetensors"
    card = folder / "models" / "Stable-diffusion" / "sd1-1.json"
    card.write_text('{"vae": "other.safetensors"}')
    assert chosen(engine) == "other.safetensors"
    card.write_text('{"vae": "None"}')
    assert chosen(engine) is None
    for useless in ('{"vae": "Automatic"}', '{"vae": "gone.pt"}', "{", "[]", '{"vae": 3}'):
        card.write_text(useless)
        assert chosen(engine) == "sd1-1-special.safetensors"
    assert model(engine, "sd1-2", sd_vae="other.safetensors", sd_vae_overrides_per_model_preferences=False).vae_name == "other.safetensors"


def test_a_vae_beside_the_checkpoint(engine: Engine, folder: Path) -> None:
    save(folder / "models" / "Stable-diffusion" / "sd1-1.vae.safetensors", other_vae(6))
    engine.vaes.refresh()
    assert chosen(engine) == "sd1-1.vae.safetensors"
    assert list(engine.vaes.files) == ["other.safetensors", "sd1-1.vae.safetensors"]


def test_the_flag_rules_over_all(folder: Path, tmp_path: Path) -> None:
    forced = save(tmp_path / "forced.safetensors", other_vae(7))
    flags = SimpleNamespace(no_half=True, use_cpu=["all"], vae_path=str(forced))
    engine = Engine(flags, Paths.from_flags(folder), Options())
    assert chosen(engine, sd_vae="other.safetensors") == "forced.safetensors"
    forced.unlink()
    with pytest.raises(WeightsError, match="--vae-path"):
        chosen(engine)
    engine.close()


def test_a_vae_that_does_not_fit_leaves_the_model_as_it_was(engine: Engine, folder: Path) -> None:
    loaded = model(engine, "sd1-1", sd_vae="other.safetensors")
    (folder / "models" / "VAE" / "bad.safetensors").write_bytes(b"no")
    engine.vaes.refresh()
    with pytest.raises(WeightsError, match="bad.safetensors"):
        model(engine, "sd1-1", sd_vae="bad.safetensors")
    assert loaded.vae_name == "other.safetensors" and model(engine, "sd1-1", sd_vae="other.safetensors") is loaded


def test_a_changed_vae_file_is_read_again(engine: Engine, folder: Path) -> None:
    first = model(engine, "sd1-1", sd_vae="other.safetensors").checkpoint.vae
    replaced(folder / "models" / "VAE" / "other.safetensors", other_vae(8))
    assert model(engine, "sd1-1", sd_vae="other.safetensors").checkpoint.vae is not first
