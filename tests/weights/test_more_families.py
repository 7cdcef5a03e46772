"""Stable Diffusion 3, AltDiffusion, Stable unCLIP and the depth model: small checkpoints load, and what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from weights.weight_files import (
    DPT,
    MMDIT,
    SD3_VAE,
    T5,
    VISION,
    XLMR,
    alt_state,
    depth_state,
    save,
    sd3_state,
    sd3_text_state,
    unclip_state,
)

from modules.nets.unclip import cosine_alphas
from modules.weights.errors import MissingKeys
from modules.weights.loader import load_checkpoint, load_t5


def test_sd3_with_its_clip_encoders(tmp_path: Path) -> None:
    state = sd3_state()
    checkpoint = load_checkpoint(save(tmp_path / "x.safetensors", state))
    spec = checkpoint.spec
    assert (spec.family, spec.prediction, spec.latent_scale, spec.latent_shift) == ("sd3", "flow", 1.5305, 0.0609)
    assert (spec.unet, spec.vae) == (MMDIT, SD3_VAE)
    assert checkpoint.text_l is not None and checkpoint.text_g is not None and checkpoint.text_t5 is None
    assert checkpoint.text_g.config.act == "gelu" and checkpoint.text_l.config.act == "quick_gelu"
    assert torch.equal(checkpoint.unet.pos_embed, state["model.diffusion_model.pos_embed"])
    sigmas = (1 / checkpoint.alphas_cumprod - 1) ** 0.5
    assert sigmas[-1].item() == pytest.approx(1) and sigmas[499].item() == pytest.approx(3 * 0.5 / 2, abs=1e-5)


def test_sd3_without_encoders_takes_those_beside_it(tmp_path: Path) -> None:
    path = save(tmp_path / "x.safetensors", sd3_state(texts=False))
    shelf = tmp_path / "CLIP"
    shelf.mkdir()
    with pytest.raises(MissingKeys, match=r"put clip_l.safetensors and clip_g.safetensors into .*CLIP"):
        load_checkpoint(path, companions=shelf)
    for name, state in sd3_text_state().items():
        save(shelf / f"{name}.safetensors", state)
    checkpoint = load_checkpoint(path, companions=shelf)
    assert checkpoint.text_l is not None and checkpoint.text_g is not None
    t5 = load_t5(checkpoint, device="cpu", dtype=torch.float32)
    assert t5 is not None and t5.config == T5
    half = load_t5(checkpoint, device="cpu", dtype=torch.bfloat16)
    assert half is not None and half.encoder.embed_tokens.weight.dtype == torch.bfloat16


@pytest.mark.parametrize("table", ["encoder.embed_tokens.weight", "shared.weight"])
def test_t5_inside_the_checkpoint_under_either_name_of_its_table(tmp_path: Path, table: str) -> None:
    t5 = {key.replace("encoder.embed_tokens.weight", table): value for key, value in sd3_text_state()["t5xxl_fp16"].items()}
    state = sd3_state() | {f"text_encoders.t5xxl.transformer.{key}": value for key, value in t5.items()}
    loaded = load_t5(load_checkpoint(save(tmp_path / "x.safetensors", state)), device="cpu", dtype=torch.float32)
    assert loaded is not None and torch.equal(loaded.encoder.embed_tokens.weight, t5[table])


def test_sd3_without_t5_has_none(tmp_path: Path) -> None:
    assert load_t5(load_checkpoint(save(tmp_path / "x.safetensors", sd3_state())), device="cpu", dtype=torch.float32) is None


def test_altdiffusion(tmp_path: Path) -> None:
    state = alt_state()
    checkpoint = load_checkpoint(save(tmp_path / "x.safetensors", state))
    assert checkpoint.spec.family == "alt" and checkpoint.spec.text_encoders == [XLMR]
    assert checkpoint.text_x is not None and checkpoint.text_l is None
    spare = {key: value for key, value in state.items() if "pooler" not in key and "pre_LN" not in key}
    assert load_checkpoint(save(tmp_path / "y.safetensors", spare)).text_x is not None
    with pytest.raises(MissingKeys, match="transformation"):
        load_checkpoint(save(tmp_path / "z.safetensors", {k: v for k, v in state.items() if "transformation" not in k}))


def test_unclip(tmp_path: Path) -> None:
    state = unclip_state()
    checkpoint = load_checkpoint(save(tmp_path / "x.safetensors", state))
    assert (checkpoint.spec.family, checkpoint.spec.prediction, checkpoint.spec.vision) == ("sd2-unclip-h", "v", VISION)
    assert checkpoint.embedder is not None and checkpoint.noise_augmentor is not None
    assert torch.equal(checkpoint.noise_augmentor.alphas_cumprod, cosine_alphas())
    own = torch.linspace(1, 0, 1000)
    other = load_checkpoint(save(tmp_path / "y.safetensors", state | {"noise_augmentor.alphas_cumprod": own}), dtype=torch.float16)
    assert other.noise_augmentor is not None and torch.equal(other.noise_augmentor.alphas_cumprod, own)
    with pytest.raises(MissingKeys, match="no image encoder"):
        load_checkpoint(save(tmp_path / "z.safetensors", {k: v for k, v in state.items() if "visual" not in k}))


def test_the_depth_model(tmp_path: Path) -> None:
    state = depth_state()
    unused = {"depth_model.model.pretrained.model.head.weight": torch.zeros(3, 3)}
    checkpoint = load_checkpoint(save(tmp_path / "x.safetensors", state | unused))
    assert (checkpoint.spec.family, checkpoint.spec.prediction, checkpoint.spec.depth) == ("sd2-depth", "eps", DPT)
    assert checkpoint.depth_model is not None
    with pytest.raises(MissingKeys, match="no depth network"):
        load_checkpoint(save(tmp_path / "y.safetensors", {k: v for k, v in state.items() if not k.startswith("depth_model.")}))
