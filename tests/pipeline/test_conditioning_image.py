"""What inpainting, pix2pix, depth and unCLIP models are told about a picture, with stand-ins for their networks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from modules.pipeline.conditioning_image import hires_conditioning, img2img_conditioning, mask_weight, txt2img_conditioning

PIXELS = torch.linspace(-1, 1, 2 * 3 * 64 * 64).reshape(2, 3, 64, 64)
LATENT = torch.zeros(2, 4, 8, 8)


def small(pixels: torch.Tensor) -> torch.Tensor:
    """A stand-in for the VAE: the mean colour of every cell, four channels."""
    pooled = torch.nn.functional.avg_pool2d(pixels, 8)
    return torch.cat([pooled, pooled[:, :1]], dim=1)


def run_with(**model: Any) -> Any:
    spec = SimpleNamespace(latent_scale=0.5, unet=SimpleNamespace(in_channels=9, adm_in_channels=6), family="sd1")
    defaults = {
        "wants_inpainting_conditioning": False,
        "is_edit": False,
        "is_sdxl": False,
        "checkpoint": SimpleNamespace(),
        "spec": spec,
        "device": torch.device("cpu"),
        "latent_channels": 4,
        "unet_dtype": torch.float32,
        "encode_sample": lambda pixels, noise: small(pixels),
        "encode_mean": lambda pixels: small(pixels) * 0.5,
        "decode": lambda latents: torch.zeros(len(latents), 3, latents.shape[2] * 8, latents.shape[3] * 8),
    }
    settings = SimpleNamespace(inpainting_mask_weight=1.0, sd_vae_encode_method="Full")
    p = SimpleNamespace(seeds=[1, 2], mask_round=True)
    return SimpleNamespace(
        model=SimpleNamespace(**{**defaults, **model}), settings=settings, p=p, keep=lambda _: None, uses_inpainting_conditioning=False
    )


def inpainting(**fields: Any) -> Any:
    return run_with(wants_inpainting_conditioning=True, **fields)


def told(run: Any, mask: Image.Image | None = None) -> Any:
    return img2img_conditioning(run, PIXELS, LATENT, mask, torch.Generator())


def test_an_inpainting_model_is_told_the_mask_and_the_picture_without_it() -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    run = inpainting()
    concat = told(run, mask).concat
    assert run.uses_inpainting_conditioning and concat.shape == (2, 5, 8, 8)
    assert concat[0, 0, :, :4].eq(1).all() and concat[0, 0, :, 4:].eq(0).all()
    assert concat[:, 1:, :, :4].eq(0).all() and torch.equal(concat[:, 1:, :, 4:], small(PIXELS)[..., 4:])


def test_without_a_mask_all_is_masked() -> None:
    concat = told(inpainting()).concat
    assert concat[:, 0].eq(1).all() and concat[:, 1:].eq(0).all()


def test_a_soft_mask_is_rounded_unless_the_request_says_no_and_always_on_sdxl() -> None:
    grey = Image.new("L", (64, 64), 100)
    run = inpainting()
    assert told(run, grey).concat[:, 0].eq(0).all()
    run.p.mask_round = False
    assert told(run, grey).concat[0, 0, 0, 0].item() == pytest.approx(100 / 255)
    run.model.is_sdxl = True
    assert told(run, grey).concat[:, 0].eq(0).all()


def test_the_weight_says_how_much_of_the_picture_is_hidden() -> None:
    run = inpainting()
    run.p.inpainting_mask_weight = 0.25
    assert mask_weight(run) == 0.25
    assert torch.allclose(told(run).concat[:, 1:], small(PIXELS) * 0.75, atol=1e-6)


def test_from_text_alone_an_inpainting_model_is_told_a_grey_picture_and_others_zeros() -> None:
    concat = txt2img_conditioning(inpainting(), 2, 64, 64, torch.Generator()).concat
    assert concat.shape == (2, 5, 8, 8) and concat[:, 0].eq(1).all()
    assert txt2img_conditioning(run_with(), 2, 64, 64, torch.Generator()).concat.eq(0).all()
    unclip = run_with(checkpoint=SimpleNamespace(embedder=object()))
    assert txt2img_conditioning(unclip, 2, 64, 64, torch.Generator()).adm.shape == (2, 6)


def test_pix2pix_gets_the_unscaled_mean() -> None:
    assert torch.equal(told(run_with(is_edit=True)).concat, small(PIXELS))


def test_depth_is_the_first_pictures_between_minus_one_and_one() -> None:
    seen: list[torch.Tensor] = []

    def depth_model(picture: torch.Tensor) -> torch.Tensor:
        seen.append(picture)
        return picture[:, :1] * 7 + 3

    run = run_with(checkpoint=SimpleNamespace(depth_model=depth_model))
    wide = torch.linspace(-1, 1, 2 * 3 * 96 * 192).reshape(2, 3, 96, 192)
    concat = img2img_conditioning(run, wide, torch.zeros(2, 4, 12, 24), None, torch.Generator()).concat
    assert seen[0].shape == (1, 3, 192, 384)
    assert concat.shape == (2, 1, 12, 24) and torch.equal(concat[0], concat[1])
    assert (concat.min().item(), concat.max().item()) == (-1.0, 1.0)


def test_the_second_pass_is_told_about_its_pictures() -> None:
    run = inpainting()
    run.p.inpainting_mask_weight = 0.0
    concat = hires_conditioning(run, LATENT, PIXELS, torch.Generator()).concat
    assert torch.allclose(concat[:, 1:], small((PIXELS + 1) / 2), atol=1e-6)
    assert hires_conditioning(run, LATENT, None, torch.Generator()).concat[:, 1:].eq(0).all()
    assert hires_conditioning(run_with(is_edit=True), LATENT, None, torch.Generator()).concat.shape == (2, 5, 8, 8)
