"""What a model is told about a picture beside the text: inpainting, pix2pix, depth and unCLIP families (generation.md §4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from modules.nets.openclip_vision import prepare_pictures
from modules.pipeline.codec import encode_pictures
from modules.pipeline.model import ImageCond

if TYPE_CHECKING:
    from PIL import Image

    from modules.pipeline.run import Run

DEPTH_SIDE = 384
DEPTH_MULTIPLE = 32


def txt2img_conditioning(run: Run, count: int, height: int, width: int, noise: torch.Generator) -> ImageCond:
    """Where there is no picture: all masked and plain grey for inpainting models, zeros for the others.

    `count` pictures of `height` x `width` pixels; `noise` is for the posterior of the grey one.
    """
    model, cells = run.model, (height // 8, width // 8)
    if model.wants_inpainting_conditioning:
        run.uses_inpainting_conditioning = True
        grey = torch.zeros(count, 3, cells[0] * 8, cells[1] * 8, device=model.device)
        latent = encode_pictures(run, grey, noise)
        return ImageCond(torch.cat([torch.ones_like(latent[:, :1]), latent], dim=1))
    extra = model.spec.unet.in_channels - model.latent_channels
    if _net(run, "embedder") is not None:
        return ImageCond(adm=torch.zeros(count, model.spec.unet.adm_in_channels or 0, device=model.device))
    return ImageCond(torch.zeros(count, extra, *cells, device=model.device)) if extra > 0 else ImageCond()


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
    if model.is_edit:
        mean = model.encode_mean(pixels) / model.spec.latent_scale
        return ImageCond(_fitted(mean, latent.shape[2:]))
    if _net(run, "depth_model") is not None:
        return ImageCond(_depth(run, pixels, latent))
    if _net(run, "embedder") is not None:
        return ImageCond(adm=_embedding(run, pixels, noise))
    return ImageCond()


def hires_conditioning(run: Run, latents: Tensor, pixels: Tensor | None, noise: torch.Generator) -> ImageCond:
    """What the model is told in the second pass about enlarged latents [B, C, h, w], or pictures [B, 3, H, W] in -1..1."""
    if pixels is not None:
        # A1111: these pictures are taken as 0..1 where -1..1 is meant
        return img2img_conditioning(run, (pixels + 1) / 2, latents, None, noise)
    if run.model.wants_inpainting_conditioning and mask_weight(run) < 1:
        return img2img_conditioning(run, run.model.decode(latents), latents, None, noise)
    return txt2img_conditioning(run, len(latents), latents.shape[2] * 8, latents.shape[3] * 8, noise)


def mask_weight(run: Run) -> float:
    """How strongly an inpainting model's picture is blackened under the mask, 0..1."""
    own: Any = getattr(run.p, "inpainting_mask_weight", None)
    return float(run.settings.inpainting_mask_weight if own is None else own)


def _inpainting(run: Run, pixels: Tensor, latent: Tensor, image_mask: Image.Image | None, noise: torch.Generator, *, round: bool) -> Tensor:
    """Mask and masked picture [B, 1 + C, h, w]."""
    if image_mask is None:
        mask = pixels.new_ones(1, 1, *pixels.shape[2:])
    else:
        levels = torch.from_numpy(np.array(image_mask.convert("L")).astype(np.float32) / 255.0)
        mask = (torch.round(levels) if round else levels)[None, None].to(pixels)
    pixels = _fitted(pixels, mask.shape[2:])  # latent upscale keeps the picture's own size
    masked = torch.lerp(pixels, pixels * (1.0 - mask), mask_weight(run))
    encoded = _fitted(run.model.encode_sample(masked, noise), latent.shape[2:])
    small = functional.interpolate(mask, size=encoded.shape[2:])
    return torch.cat([small.expand(len(encoded), -1, -1, -1), encoded], dim=1)


def _fitted(x: Tensor, size: torch.Size) -> Tensor:
    return x if x.shape[2:] == size else functional.interpolate(x, size=tuple(size), mode="bilinear")


def _depth(run: Run, pixels: Tensor, latent: Tensor) -> Tensor:
    """Depth of the first picture [B, 1, h, w] in -1..1, as MiDaS sees it."""
    depth = _net(run, "depth_model")(_for_depth(pixels[0]).to(pixels.device, run.model.unet_dtype)).float()
    depth = functional.interpolate(depth, size=latent.shape[2:], mode="bicubic", align_corners=False)
    low, high = torch.aminmax(depth)
    depth = 2.0 * (depth - low) / (high - low).clamp(min=1e-6) - 1.0  # a plain picture has one depth
    return depth.expand(len(latent), -1, -1, -1)


def _for_depth(picture: Tensor) -> Tensor:
    """[3, H, W] -> [1, 3, H', W']: scaled by whichever factor to 384 changes less, sides rounded to multiples of 32."""
    height, width = picture.shape[1:]
    scale = min(DEPTH_SIDE / width, DEPTH_SIDE / height, key=lambda factor: abs(1 - factor))
    size = [max(round(side * scale / DEPTH_MULTIPLE), 1) * DEPTH_MULTIPLE for side in (width, height)]
    rows = picture.float().permute(1, 2, 0).cpu().numpy()
    return torch.from_numpy(cv2.resize(rows, tuple(size), interpolation=cv2.INTER_CUBIC)).permute(2, 0, 1)[None]


def _embedding(run: Run, pixels: Tensor, noise: torch.Generator) -> Tensor:
    """What an unCLIP model is told [B, adm]: the pictures' embeddings without added noise, and the noise level 0 embedded."""
    embedder, augmentor, is_large = _net(run, "embedder"), _net(run, "noise_augmentor"), run.model.spec.family == "sd2-unclip-h"
    dtype = next(embedder.parameters()).dtype
    prepared = prepare_pictures(pixels.float(), embedder.config.image_size, antialias=is_large)
    vectors: Tensor = embedder(prepared.to(dtype)).float()
    if augmentor is None:
        return vectors
    drawn = torch.randn(vectors.shape, generator=noise).to(vectors)
    told: Tensor = augmentor(vectors, drawn, 0)
    return told


def _net(run: Run, name: str) -> Any:
    """A network only some families have, by its name in the checkpoint; None where the model has none."""
    return getattr(run.model.checkpoint, name, None)
