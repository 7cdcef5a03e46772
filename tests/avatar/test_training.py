"""The trainer runs, resumes, and what it exports loads as an SD1 checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("pytorch_lightning")

from modules.nets.clip import CLIPTextConfig, CLIPTextModel
from modules.nets.unet import UNetConfig, UNetModel
from modules.nets.vae import AutoencoderKL, VAEConfig
from tools.avatar import dataset, diffusion_training, export, train
from tools.avatar.tokens import SmallVocabulary
from tools.avatar.vae_training import VAETraining, to_input, tupled
from tools.avatar.warm_start import warm_start

CONFIG: dict[str, Any] = {
    "data": {"count": 12, "size": 32, "seed": 3},
    "workers": 1,
    "threads": 1,
    "vae": {
        "config": {"ch": 64, "ch_mult": [1, 1, 1, 2], "num_res_blocks": 1},
        "minutes": 9,
        "lr": 0.001,
        "kl_weight": 1e-4,
        "batch": 1,
        "crop": 32,
        "ema": 0.9,
        "decoder_minutes": 9,
    },
    "unet": {
        "config": {
            "model_channels": 32,
            "channel_mult": [1, 2],
            "num_res_blocks": [1, 1],
            "transformer_depth": [0, 1],
            "num_heads": 8,
            "context_dim": 32,
        },
        "text": {"width": 32, "layers": 2, "heads": 2, "mlp_ratio": 2},
        "minutes": 9,
        "lr": 0.001,
        "batch": 2,
        "ema": 0.9,
        "min_snr_gamma": 5.0,
        "snr_floor": 0.1,
        "eye_extra": 2.0,
        "seed": 7,
        "pictures": 12,
        "warmup": 10,
        "decay_from": 0.4,
    },
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps of everything."""
    folder = tmp_path_factory.mktemp("avatar")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    dataset.build(folder / "data", workers=1, **CONFIG["data"])
    train.train_vae(CONFIG, folder, False, 2)
    diffusion_training.cache_latents(CONFIG, folder)
    diffusion_training.train(CONFIG, folder, False, 2)
    torch.set_num_threads(threads)
    return folder


def test_cached_latents_are_standardised(run: Path) -> None:
    latents = np.load(run / "latents.npy").astype(np.float32)
    assert latents.shape == (12, 4, 4, 4)
    assert np.allclose(latents.mean((0, 2, 3)), 0, atol=0.02) and np.allclose(latents.std((0, 2, 3)), 1, atol=0.02)


def test_training_resumes_where_it_stopped(run: Path) -> None:
    before, step = export.unet_weights(run, raw=True)
    diffusion_training.train(CONFIG, run, True, 4)
    after, later = export.unet_weights(run, raw=True)
    assert (step, later) == (2, 4)
    moved = max(float((after[key] - before[key]).abs().max()) for key in before)
    assert 0 < moved < 0.05


def test_export_has_the_sd1_layout(run: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    path = export.export(CONFIG, run, tmp_path / "avatar.safetensors")
    assert path.with_suffix(".yaml").exists()
    with safe_open(path, "pt") as file:
        assert file.metadata()["modelspec.license"] == "Apache-2.0" and file.metadata()["avatar.data_seed"] == "3"
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    assert all(value.dtype == torch.float16 for value in tensors.values() if value.is_floating_point())
    nets = {
        "model.diffusion_model.": UNetModel(UNetConfig(**tupled(CONFIG["unet"]["config"]))),
        "first_stage_model.": AutoencoderKL(VAEConfig(**tupled(CONFIG["vae"]["config"]))),
        "cond_stage_model.transformer.": CLIPTextModel(CLIPTextConfig(**CONFIG["unet"]["text"])),
    }
    for prefix, net in nets.items():
        net.load_state_dict({key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)})


def test_exported_latents_have_the_standard_scale(run: Path) -> None:
    tensors, _ = export.checkpoint_tensors(CONFIG, run)
    vae = AutoencoderKL(VAEConfig(**tupled(CONFIG["vae"]["config"])))
    vae.load_state_dict(
        {key[18:]: value.float() for key, value in tensors.items() if key.startswith("first_stage_model.")}
    )
    pictures = to_input(np.array(dataset.Drawings(run / "data").pictures[:12]))
    with torch.no_grad():
        latents = vae.encode(pictures).mode()
    stored = torch.from_numpy(np.load(run / "latents.npy").astype(np.float32))
    assert torch.allclose(latents * 0.18215, stored, atol=0.05)


def test_unknown_tokens_share_one_row() -> None:
    vocabulary = SmallVocabulary()
    small = torch.randn(len(vocabulary), 8)
    full = export.spread_tokens(small, vocabulary)
    assert torch.equal(full[vocabulary.ids[5]], small[5])
    unseen = next(i for i in range(export.VOCABULARY) if i not in vocabulary.index)
    assert torch.equal(full[unseen], small[vocabulary.unknown])


def test_warm_start_passes_block_colours() -> None:
    torch.manual_seed(0)
    pictures = to_input(np.stack([dataset.draw(1, index, 64)[1].pixels for index in range(6)]))
    net = AutoencoderKL(VAEConfig(ch=64, ch_mult=(1, 1, 1, 2), num_res_blocks=1))
    warm_start(net, pictures)
    with torch.no_grad():
        error = (net.decode(net.encode(pictures).mean) - pictures).abs().mean()
    assert error < 0.3


def test_decoder_stage_leaves_the_latents_alone() -> None:
    module = VAETraining(VAEConfig(ch=64, ch_mult=(1, 1, 1, 2), num_res_blocks=1), 0.01, 0.0, decoder_only=True)
    assert not any(p.requires_grad for p in (*module.net.encoder.parameters(), *module.net.quant_conv.parameters()))
    assert any(p.requires_grad for p in module.net.decoder.parameters())
