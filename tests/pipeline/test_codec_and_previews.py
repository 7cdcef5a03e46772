"""TAESD and the approximate decoders in place of the VAE, and what previews show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from golden_data import data_folder
from PIL import Image
from safetensors.torch import save_file

from modules.engine.engine import Engine
from modules.engine.paths import Paths
from modules.nets.taesd import TAESDDecoder, TAESDEncoder
from modules.nets.vae_approx import VAEApprox, cheap_approximation
from modules.pipeline.approximations import Approximations
from modules.pipeline.model import DiffusionModel
from modules.pipeline.pixels import to_images
from modules.pipeline.preview import Previewer
from modules.pipeline.processing import StableDiffusionProcessingImg2Img, StableDiffusionProcessingTxt2Img
from modules.pipeline.state import JobState
from modules.settings.store import Options, SettingsView

NAME = "tiny-sd1.safetensors"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one tiny checkpoint."""
    folder = tmp_path_factory.mktemp("data")
    source = data_folder(f"models/Stable-diffusion/{NAME}") / "models" / "Stable-diffusion"
    target = folder / "models" / "Stable-diffusion"
    target.mkdir(parents=True)
    for name in (NAME, "tiny-sd1.yaml"):
        (target / name).write_bytes((source / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def engine(data: Path) -> Iterator[Engine]:
    made = Engine(SimpleNamespace(no_half=True, use_cpu=["all"]), Paths.from_flags(data), Options())
    yield made
    made.close()


@pytest.fixture
def model(engine: Engine) -> DiffusionModel:
    return engine.models.get(engine.checkpoints.get(None))


@pytest.fixture
def nets(data: Path) -> Iterator[dict[str, Any]]:
    """Small networks and their files in the models folder."""
    torch.manual_seed(0)
    made = {"VAE-taesd/taesd_decoder": TAESDDecoder(), "VAE-taesd/taesd_encoder": TAESDEncoder(), "VAE-approx/model": VAEApprox()}
    paths = []
    for name, net in made.items():
        paths.append(data / "models" / f"{name}.safetensors")
        paths[-1].parent.mkdir(exist_ok=True)
        save_file(net.state_dict(), paths[-1])
    yield {name.split("/")[1]: net for name, net in made.items()}
    for path in paths:
        path.unlink(missing_ok=True)


def request(kind: Any = StableDiffusionProcessingTxt2Img, **values: object) -> Any:
    fields: dict = {"prompt": "cat", "steps": 2, "seed": 5, "width": 64, "height": 96, "do_not_save_samples": True, "sampler_name": "Euler"}
    return kind(**fields | values)


def latents(count: int = 1) -> torch.Tensor:
    return torch.randn(count, 4, 12, 8, generator=torch.Generator().manual_seed(0))


def test_pictures_are_decoded_by_taesd(engine, nets, monkeypatch):
    seen = []
    decode = Approximations.decode
    monkeypatch.setattr(Approximations, "decode", lambda self, model, z: seen.append(z) or decode(self, model, z))
    result = engine.run(request(override_settings={"sd_vae_decode_method": "TAESD"}))
    assert "VAE Decoder: TAESD" in result.infotexts[0]
    with torch.inference_mode():
        (expected,) = to_images(nets["taesd_decoder"].decode(seen[0]))
    assert result.images[0].tobytes() == expected.tobytes()


def test_init_pictures_are_encoded_by_taesd(engine, nets):
    init = Image.linear_gradient("L").resize((64, 96)).convert("RGB")
    settings = {"sd_vae_encode_method": "TAESD"}
    result = engine.run(request(StableDiffusionProcessingImg2Img, init_images=[init], override_settings=settings))
    assert "VAE Encoder: TAESD" in result.infotexts[0] and "VAE Decoder" not in result.infotexts[0]


def test_a_missing_taesd_is_told_and_the_vae_used(engine):
    full = engine.run(request())
    result = engine.run(request(override_settings={"sd_vae_decode_method": "TAESD"}))
    assert "taesd_decoder.safetensors: put it into models/VAE-taesd" in result.comments
    assert "VAE Decoder" not in result.infotexts[0]
    assert result.images[0].tobytes() == full.images[0].tobytes()


def previewer(engine: Engine, model: Any, **settings: Any) -> Previewer:
    view = SettingsView(Options(), {"live_preview_refresh_period": 1e9, **settings})
    return Previewer(model, view, JobState(), engine.approximations)


@torch.inference_mode()
def test_each_method_shows_its_picture(engine, model, nets):
    z = latents()
    expected = {
        "Full": model.decode(z),
        "TAESD": nets["taesd_decoder"].decode(z),
        "Approx NN": nets["model"](z),
        "Approx cheap": cheap_approximation(z, "sd"),
    }
    for method, pixels in expected.items():
        (image,) = to_images(pixels)
        shown = previewer(engine, model, show_progress_type=method).render(z)
        assert shown.tobytes() == image.resize((64, 96), Image.Resampling.BICUBIC).tobytes(), method


def test_without_files_the_channels_are_mixed(engine, model):
    (image,) = to_images(cheap_approximation(latents(), "sd"))
    for method in ("TAESD", "Approx NN"):
        shown = previewer(engine, model, show_progress_type=method).render(latents())
        assert shown.tobytes() == image.resize((64, 96), Image.Resampling.BICUBIC).tobytes()


def test_a_damaged_file_spoils_no_job(engine, model, nets, data, caplog):
    (data / "models" / "VAE-taesd" / "taesd_decoder.safetensors").write_bytes(b"not found")
    preview = previewer(engine, model, show_progress_type="TAESD")
    assert preview.render(latents()).size == (64, 96)
    preview.render(latents())
    assert sum("taesd_decoder" in record.message for record in caplog.records) == 1


def test_a_batch_is_shown_as_a_grid_or_by_its_first_picture(engine, model):
    assert previewer(engine, model).render(latents(4)).size == (128, 192)
    assert previewer(engine, model, show_progress_grid=False).render(latents(4)).size == (64, 96)


@pytest.mark.parametrize(("every", "shown"), [(1, 4), (2, 2), (0, 4), (-1, 0), (10, 0)])
def test_previews_come_every_n_steps(engine, model, every, shown):
    preview = previewer(engine, model, show_progress_every_n_steps=every)
    for step in range(1, 5):
        preview.offer(latents(), step)
    assert preview._state.id_live_preview == shown


def test_previews_can_be_switched_off(engine, model):
    preview = previewer(engine, model, show_progress_every_n_steps=1, live_previews_enable=False)
    preview.offer(latents(), 1)
    assert preview._state.current_image is None


def test_a_model_whose_networks_take_turns_is_not_decoded_in_full_for_previews(engine, model, monkeypatch):
    monkeypatch.setattr(model, "offloading", object())
    assert previewer(engine, model, show_progress_type="Full").method == "Approx NN"
    assert previewer(engine, model, show_progress_type="Full", live_preview_allow_lowvram_full=True).method == "Full"
    assert previewer(engine, model, show_progress_type="TAESD").method == "TAESD"


@pytest.mark.parametrize("sampler", ["Euler", "DDIM"])
def test_the_subject_of_previews(engine, monkeypatch, sampler):
    """The guided prediction lies beyond the prompt's, seen from that of the negative prompt."""
    shown: dict[str, torch.Tensor] = {}
    for subject in ("Prompt", "Negative prompt", "Combined"):
        monkeypatch.setattr(Previewer, "offer", lambda _, z, step, model=None, subject=subject: shown.setdefault(subject, z))
        engine.run(request(sampler_name=sampler, negative_prompt="dog", cfg_scale=3.0, override_settings={"live_preview_content": subject}))
    beyond = shown["Negative prompt"] + 3 * (shown["Prompt"] - shown["Negative prompt"])
    torch.testing.assert_close(shown["Combined"], beyond, rtol=0, atol=1e-3)
    assert not torch.equal(shown["Prompt"], shown["Negative prompt"])


def test_a_stopped_job_is_decoded_quickly_where_wanted(engine, model, nets, monkeypatch):
    def offer(self: Previewer, *_: Any) -> None:
        self._state.interrupt()

    monkeypatch.setattr(Previewer, "offer", offer)
    monkeypatch.setattr(type(model), "decode", lambda *_: pytest.fail("decoded in full"))
    settings = {"live_preview_fast_interrupt": True, "show_progress_type": "Approx NN"}
    result = engine.run(request(steps=20, override_settings=settings))
    assert result.images[0].size == (64, 96)
