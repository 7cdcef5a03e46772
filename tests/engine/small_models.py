"""Complete checkpoints of a few megabytes with random weights, of every family, that the whole program can draw with."""

from __future__ import annotations

from pathlib import Path

import torch
from prompt.test_unigram import model_file
from weights.weight_files import State, alt_state, depth_state, prefixed, save, sd1_state, sd3_state, sd3_text_state, unclip_state

from modules.nets.vae import AutoencoderKL, VAEConfig

WORDS = 49408
VAE = VAEConfig(ch=32, ch_mult=(1, 1, 1, 1), num_res_blocks=1)
TOKENS = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"


def small_sd1(seed: int, in_channels: int = 4) -> State:
    """Stable Diffusion 1 with CLIP's whole vocabulary; other seeds are other models."""
    torch.manual_seed(seed)
    state = with_vae(sd1_state(in_channels))
    state[TOKENS] = torch.randn(WORDS, 64)
    return awake(state)


def awake(state: State) -> State:
    """The same checkpoint with numbers in the layers that training begins from zero."""
    return {key: value if value.any() or not value.is_floating_point() else torch.randn_like(value) * 0.05 for key, value in state.items()}


def with_vae(state: State) -> State:
    """The same checkpoint with a VAE that divides sides by 8."""
    kept = {key: value for key, value in state.items() if not key.startswith("first_stage_model.")}
    return kept | prefixed("first_stage_model.", AutoencoderKL(VAE))


def write(folder: Path, family: str, seed: int = 0) -> Path:
    """Write a small checkpoint of a family, and what it needs beside it, into a data folder."""
    torch.manual_seed(seed)
    models, shelf = folder / "models" / "Stable-diffusion", folder / "models" / "CLIP"
    models.mkdir(parents=True, exist_ok=True)
    shelf.mkdir(parents=True, exist_ok=True)
    if family == "sd3":
        for name, encoder in sd3_text_state(WORDS).items():
            save(shelf / f"{name}.safetensors", encoder)
        model_file(shelf / "spiece.model", [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁a", -3.0), ("▁cat", -4.0)])
        return save(models / "sd3.safetensors", awake(sd3_state(texts=False)))
    if family == "alt":
        model_file(shelf / "sentencepiece.bpe.model", [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), (",", -2.0), ("▁cat", -3.0)])
        return save(models / "alt.safetensors", awake(with_vae(alt_state())))
    if family == "pix2pix":
        return save(models / "pix2pix.safetensors", small_sd1(seed, 8))
    if family == "sd1":
        return save(models / f"sd1-{seed}.safetensors", small_sd1(seed))
    made = {"unclip": unclip_state, "depth": depth_state}[family](WORDS)
    return save(models / f"{family}.safetensors", awake(with_vae(made)))
