"""What a model is told about a picture beside the text: inpainting, pix2pix, depth and unCLIP families (generation.md §4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from modules.pipeline.model import ImageCond

if TYPE_CHECKING:
    from PIL import Image

    from modules.pipeline.run import Run


def encode_pictures(run: Run, pixels: Tensor, noise: torch.Generator) -> Tensor:
    """Scaled latents [B, C, h, w] of pictures [B, 3, H, W] in -1..1 by the encoder the settings name."""
    method = run.settings.sd_vae_encode_method
    if method != "Full":
        run.keep({"VAE Encoder": method})
        return run.model.encode_quickly(pixels)
    return run.model.encode_sample(pixels, noise)


def txt2img_conditioning(run: Run, count: int, height: int, width: int) -> ImageCond:
    """Where there is no picture: all masked and plain grey for inpainting models, zeros for the others.

    `height` and `width` in pixels; `count` pictures. The noise of the grey picture's posterior begins the stream of the batch's last seed.
    """
    model = run.model
    if model.wants_inpainting_conditioning:
        run.uses_inpainting_conditioning = True
        grey = torch.zeros(count, 3, height // 8 * 8, width // 8 * 8, device=model.device)
        latent = encode_pictures(run, grey, torch.Generator().manual_seed(run.p.seeds[-1]))
        return ImageCond(torch.cat([torch.ones_like(latent[:, :1]), latent], dim=1))
    return model.without_picture(count, height // 8, width // 8)


def img2img_conditioning(
    run: Run, pixels: Tensor, latent: Tensor, mask: Image.Image | None, noise: torch.Generator, *, round: bool | None = None
) -> ImageCond:
    """What the model is told about pictures [B, 3, H, W] in -1..1 with latents [B, C, h, w].

    `mask` at the pictures' size, None for all. `round` makes it black and white; None: as the request says.
    """
    model = run.model
    if model.wants_inpainting_conditioning:
        run.uses_inpainting_conditioning = True
        if round is None:
            # A1111: SDXL's inpainting models get a black and white mask also where the request's is soft
            round = model.is_sdxl or getattr(run.p, "mask_round", True)
        return ImageCond(_inpainting(run, pixels, latent, mask, noise, round=round))
    return model.with_picture(pixels, latent)


def mask_weight(run: Run) -> float:
    """How strongly an inpainting model's picture is blackened under the mask, 0..1."""
    own: Any = getattr(run.p, "inpainting_mask_weight", None)
    return float(run.settings.inpainting_mask_weight if own is None else own)


def _inpainting(
    run: Run, pixels: Tensor, latent: Tensor, image_mask: Image.Image | None, noise: torch.Generator, *, round: bool
) -> Tensor:
    """Mask and masked picture [B, 1 + C, h, w]."""
    size = (latent.shape[2] * 8, latent.shape[3] * 8)
    if image_mask is None:
        mask = pixels.new_ones(1, 1, *pixels.shape[2:])
    else:
        levels = torch.from_numpy(np.array(image_mask.convert("L")).astype(np.float32) / 255.0)
        mask = (torch.round(levels) if round else levels)[None, None].to(pixels)
    if pixels.shape[2:] != mask.shape[2:]:  # latent upscale keeps the picture's own size
        pixels = functional.interpolate(pixels, size=mask.shape[2:], mode="bilinear")
    masked = torch.lerp(pixels, pixels * (1.0 - mask), mask_weight(run))
    if masked.shape[2] // 8 != latent.shape[2] or masked.shape[3] // 8 != latent.shape[3]:
        masked = functional.interpolate(masked, size=size, mode="bilinear")
    encoded = run.model.encode_sample(masked, noise)
    small = functional.interpolate(mask, size=encoded.shape[2:])
    return torch.cat([small.expand(len(encoded), -1, -1, -1), encoded], dim=1)
