"""Before an img2img job's first batch: mask, init pictures, their latents, and what the model is told about them (generation.md §6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from modules.diffusion.rng import ImageRNG
from modules.imaging.color_correction import setup_color_correction
from modules.imaging.crop_region import Box, crop_region, expand_crop_region
from modules.imaging.fill import fill_masked
from modules.imaging.mask import blur_mask, create_binary_mask, inverted, latent_mask, overlay_mask
from modules.imaging.overlay import overlay_of
from modules.imaging.reading import flatten
from modules.imaging.resize import ResizeMode, resize_image
from modules.pipeline.codec import encode_pictures
from modules.pipeline.conditioning_image import img2img_conditioning
from modules.pipeline.pixels import to_tensor
from modules.pipeline.processing import RequestError
from modules.pipeline.save import save_init_image

if TYPE_CHECKING:
    from modules.pipeline.processing import StableDiffusionProcessingImg2Img
    from modules.pipeline.run import Run

FILL, ORIGINAL, LATENT_NOISE, LATENT_NOTHING = range(4)
"""Values of `inpainting_fill`, the masked content to start from."""
MAX_BLUR, MAX_PADDING = 2048, 65536
BLANK_MASK = 'Unable to perform "Inpaint Only mask" because mask is blank, switch to img2img mode.'


@dataclass
class Area:
    """What part of the init picture is drawn: `mask` at the job's size (None: everything), `crop` in pixels of the picture."""

    mask: Image.Image | None = None
    crop: Box | None = None


def prepare_img2img(run: Run) -> None:
    """Set the request's init latent, masks, overlays and picture conditioning. Raises RequestError for what cannot be used.

    The posterior noise of the VAE comes from a stream of its own, seeded with the job's first seed.
    """
    p: Any = run.p
    images = _init_images(p)
    _check_fields(p)
    run.keep({"Denoising strength": p.denoising_strength})
    if p.initial_noise_multiplier is None:
        # A1111: an override of this setting comes too late to count
        p.initial_noise_multiplier = float(run.runtime.options.initial_noise_multiplier)
    area = _area(run, p)
    corrections: list[Any] | None = [] if run.settings.img2img_color_correction and p.color_corrections is None else None
    pictures = [_picture(run, image, area, corrections) for image in images]
    if corrections is not None:
        p.color_corrections = corrections
    pictures = _batch(p, pictures)
    noise = torch.Generator().manual_seed(_posterior_seed(run))
    pixels = to_tensor(pictures, run.model.device)
    latent = _latent(run, pixels, noise)
    if area.mask is not None:
        latent = _masked_content(run, latent, area.mask, noise)
    p.init_latent = latent
    p.image_conditioning = img2img_conditioning(run, pixels, latent, area.mask, noise)


def _posterior_seed(run: Run) -> int:
    """The job's first seed; where a script runs several requests, the last seed of the one before.  # A1111: it left the stream there"""
    before = run.runtime.last_seed
    return run.p.all_seeds[0] if before is None else before


def _init_images(p: StableDiffusionProcessingImg2Img) -> list[Image.Image]:
    images = list(p.init_images or [])
    if not images:
        raise RequestError("init_images", "img2img needs at least one init picture")
    if len(images) > p.batch_size and len(images) > 1:
        raise RequestError(
            "init_images", f"bad number of images passed: {len(images)}; expecting {p.batch_size} or less (raise batch_size)"
        )
    if any(image is None for image in images):
        raise RequestError("init_images", "one of the pictures is empty")
    return images


def _check_fields(p: StableDiffusionProcessingImg2Img) -> None:
    strength = p.denoising_strength
    if strength is not None and not strength >= 0:
        raise RequestError("denoising_strength", f"must be a number from 0 to 1, not {strength!r}")
    for name, limit in (("mask_blur_x", MAX_BLUR), ("mask_blur_y", MAX_BLUR), ("inpaint_full_res_padding", MAX_PADDING)):
        value = getattr(p, name)
        if not 0 <= value <= limit:
            raise RequestError(name, f"must be a number of pixels from 0 to {limit}, not {value!r}")


def _area(run: Run, p: Any) -> Area:
    """The mask prepared for drawing; sets the request's overlay mask and where the result is pasted back."""
    if p.image_mask is None:
        return Area()
    mask = create_binary_mask(p.image_mask, round=p.mask_round)
    if p.inpainting_mask_invert:
        mask = inverted(mask)
        run.keep({"Mask mode": "Inpaint not masked"})
    blur_x, blur_y = p.mask_blur_x or 0, p.mask_blur_y or 0
    mask = blur_mask(mask, blur_x, blur_y)
    if blur_x == blur_y and blur_x > 0:
        run.keep({"Mask blur": blur_x})
    area = _only_masked(run, p, mask) if p.inpaint_full_res else _whole_picture(run, p, mask)
    p.overlay_images = []
    if area.mask is not None and p.inpainting_fill == FILL:
        run.keep({"Masked content": "fill"})
    return area


def _whole_picture(run: Run, p: Any, mask: Image.Image) -> Area:
    mask = resize_image(p.resize_mode, mask, p.width, p.height, _upscaler(run))
    p.mask_for_overlay = overlay_mask(mask)
    return Area(mask)


def _only_masked(run: Run, p: Any, mask: Image.Image) -> Area:
    box = crop_region(mask, p.inpaint_full_res_padding)
    if box is None:
        p.comment(BLANK_MASK)
        return Area()
    left, top, right, bottom = box = expand_crop_region(box, p.width, p.height, mask.width, mask.height)
    p.mask_for_overlay = mask
    p.paste_to = (left, top, right - left, bottom - top)
    run.keep({"Inpaint area": "Only masked", "Masked area padding": p.inpaint_full_res_padding})
    return Area(resize_image(ResizeMode.RESIZE_AND_FILL, mask.crop(box), p.width, p.height, _upscaler(run)), box)


def _picture(run: Run, image: Image.Image, area: Area, corrections: list[Any] | None) -> Image.Image:
    """An init picture as it is encoded (RGB); its overlay and colours are kept with the request."""
    p: Any = run.p
    if run.settings.save_init_img:
        p.init_img_hash = hashlib.md5(image.tobytes(), usedforsecurity=False).hexdigest()
        save_init_image(run, image, p.init_img_hash)
    image = flatten(image, run.settings.img2img_background_color)
    if area.crop is None and p.resize_mode != ResizeMode.LATENT_UPSCALE:
        image = resize_image(p.resize_mode, image, p.width, p.height, _upscaler(run))
    if area.mask is not None:
        _keep_overlay(run, image)
    if area.crop is not None:
        image = resize_image(ResizeMode.RESIZE_AND_FILL, image.crop(area.crop), p.width, p.height, _upscaler(run))
    if area.mask is not None and p.inpainting_fill != ORIGINAL:
        image = fill_masked(image, _fitting(p.latent_mask or area.mask, image.size))
    if corrections is not None:
        corrections.append(setup_color_correction(image))
    return image


def _keep_overlay(run: Run, image: Image.Image) -> None:
    p: Any = run.p
    if p.mask_for_overlay.size != image.size:
        p.mask_for_overlay = resize_image(p.resize_mode, p.mask_for_overlay, image.width, image.height, _upscaler(run))
    p.overlay_images.append(overlay_of(image, p.mask_for_overlay))


def _fitting(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The mask at the picture's size: with latent upscale the picture keeps its own."""
    return mask if mask.size == size else mask.resize(size)


def _batch(p: Any, pictures: list[Image.Image]) -> list[Image.Image]:
    """A picture for every place of a batch: one serves all, several make the batch as large as they are many."""
    if len(pictures) > 1:
        p.batch_size = len(pictures)
        return pictures
    for name in ("overlay_images", "color_corrections"):
        if (kept := getattr(p, name)) and len(kept) == 1:
            setattr(p, name, kept * p.batch_size)
    return pictures * p.batch_size


def _latent(run: Run, pixels: Tensor, noise: torch.Generator) -> Tensor:
    p: Any = run.p
    latent = encode_pictures(run, pixels, noise)
    if p.resize_mode == ResizeMode.LATENT_UPSCALE:
        return functional.interpolate(latent, size=(p.height // 8, p.width // 8), mode="bilinear")
    return latent


def _masked_content(run: Run, latent: Tensor, image_mask: Image.Image, noise: torch.Generator) -> Tensor:
    """The init latent [B, C, h, w] with noise or nothing inside the mask if asked; sets the request's latent masks."""
    p: Any = run.p
    channels, height, width = latent.shape[1:]
    inside = torch.from_numpy(latent_mask(p.latent_mask or image_mask, width, height, round=p.mask_round)).to(latent)
    p.nmask = inside.expand(channels, -1, -1).contiguous()
    p.mask = 1 - p.nmask
    if p.inpainting_fill == LATENT_NOISE:
        latent = latent * p.mask + _content_noise(run, latent, noise) * p.nmask
        run.keep({"Masked content": "latent noise"})
    elif p.inpainting_fill == LATENT_NOTHING:
        latent = latent * p.mask
        run.keep({"Masked content": "latent nothing"})
    return latent


def _content_noise(run: Run, latent: Tensor, noise: torch.Generator) -> Tensor:
    """Noise of the first batch's seeds, for every batch.  # A1111: drawing it starts the posterior stream at the last of them"""
    seeds = run.p.all_seeds[: len(latent)]
    source = run.settings.randn_source
    if source != "NV":
        noise.manual_seed(seeds[-1])
    return ImageRNG(latent.shape[1:], seeds, source=source, device=latent.device).first()


def _upscaler(run: Run) -> Any:
    return run.upscaler(run.settings.upscaler_for_img2img)
