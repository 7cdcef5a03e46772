"""From a checkpoint's key names to the networks' own: which part a tensor belongs to, and its name there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Part = Literal["unet", "vae", "text_l", "text_g", "text_t5", "text_x", "vision", "depth", "augmentor"]
PARTS: tuple[Part, ...] = ("unet", "vae", "text_l", "text_g", "text_t5", "text_x", "vision", "depth", "augmentor")

PREFIXES: tuple[tuple[str, Part], ...] = (
    ("model.diffusion_model.", "unet"),
    ("first_stage_model.", "vae"),
    ("cond_stage_model.transformer.", "text_l"),
    ("cond_stage_model.model.", "text_g"),
    ("conditioner.embedders.0.transformer.", "text_l"),
    ("conditioner.embedders.0.model.", "text_g"),
    ("conditioner.embedders.1.model.", "text_g"),
    ("cond_stage_model.", "text_x"),
    ("text_encoders.clip_l.transformer.", "text_l"),
    ("text_encoders.clip_g.transformer.", "text_g"),
    ("text_encoders.t5xxl.transformer.", "text_t5"),
    ("embedder.model.visual.", "vision"),
    ("depth_model.model.", "depth"),
    ("noise_augmentor.", "augmentor"),
)
XLMR = ("roberta.", "transformation.", "transformation_pre.", "pre_LN.")
OLD_CLIP = ("embeddings.", "encoder.", "final_layer_norm.")
VAE_TRAINING = ("loss.", "model_ema.")


def split_keys(keys: Iterable[str]) -> dict[Part, dict[str, str]]:
    """For each part: name in the network -> key in the file.

    Keys of no part (schedule buffers, `model_ema.*`, `denoiser.sigmas`) and the VAE's training weights are left out; CLIP keys
    from before the `text_model.` level get it.
    """
    parts: dict[Part, dict[str, str]] = {part: {} for part in PARTS}
    for key in keys:
        for prefix, part in PREFIXES:
            if key.startswith(prefix):
                name = _net_name(part, key[len(prefix) :])
                if name is not None:
                    parts[part].setdefault(name, key)
                break
    return parts


def companion_keys(keys: Iterable[str], part: Part) -> dict[str, str]:
    """Name in the network -> key, for a text encoder's own file."""
    found: dict[str, str] = {}
    for key in keys:
        name = _net_name(part, key)
        if name is not None:
            found.setdefault(name, key)
    return found


def vae_keys(keys: Iterable[str]) -> dict[str, str]:
    """Name in the autoencoder -> key, for a VAE's own file (bare names) or one of the checkpoint's layout."""
    found: dict[str, str] = {}
    for key in keys:
        name = _net_name("vae", key.removeprefix("first_stage_model."))
        if name is not None:
            found.setdefault(name, key)
    return found


def _net_name(part: Part, name: str) -> str | None:
    if part == "vae" and name.startswith(VAE_TRAINING):
        return None
    if part == "text_x" and not name.startswith(XLMR):
        return None
    if part == "text_t5" and name == "shared.weight":  # as transformers names the table, sometimes beside the other name
        return "encoder.embed_tokens.weight"
    if part == "text_l" and name.startswith(OLD_CLIP):
        return "text_model." + name
    return name
