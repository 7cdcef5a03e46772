"""Latents to pictures and back by the way the settings name, each with its place in the infotext."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Generator, Tensor

from modules.pipeline.approximations import TAESD_NAMES, Approximations, full_size, latent_space
from modules.pipeline.optimizations import decode_patches

if TYPE_CHECKING:
    from modules.pipeline.run import Run

FULL = "Full"


def decode_latents(run: Run, latents: Tensor) -> Tensor:
    """Pictures [B, 3, 8h, 8w] in -1..1 of a job's latents.

    A stopped job's are decoded like a preview where the setting wants a quick answer.
    """
    state, settings, model = run.runtime.state, run.settings, run.model
    if settings.live_preview_fast_interrupt and (state.interrupted or state.skipped) and settings.show_progress_type != FULL:
        return full_size(_approximations(run).preview(model, latents, settings.show_progress_type), latents)
    method = settings.sd_vae_decode_method
    if method != FULL:
        pictures = _approximations(run).decode(model, latents)
        if pictures is not None:
            run.keep({"VAE Decoder": method})
            return pictures
        _tell_missing(run, "decoder")
    with decode_patches(run):
        return model.decode(latents)


def encode_pictures(run: Run, pixels: Tensor, noise: Generator) -> Tensor:
    """Scaled latents [B, C, h, w] of pictures [B, 3, H, W] in -1..1; `noise` draws from the posterior of the full encoder."""
    method = run.settings.sd_vae_encode_method
    if method != FULL:
        latents = _approximations(run).encode(run.model, pixels)
        if latents is not None:
            run.keep({"VAE Encoder": method})
            return latents
        _tell_missing(run, "encoder")
    return run.model.encode_sample(pixels, noise)


def _approximations(run: Run) -> Approximations:
    return run.runtime.approximations or Approximations([])


def _tell_missing(run: Run, part: str) -> None:
    name = f"{TAESD_NAMES[latent_space(run.model)]}_{part}.safetensors"
    run.p.comment(f"TAESD is chosen as VAE {part}, but there is no {name}: put it into models/VAE-taesd. The full VAE was used")
