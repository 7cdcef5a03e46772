"""Soft inpainting's arithmetic on small latents; recorded pictures are compared in tests/server/test_goldens.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from modules.pipeline.soft_inpainting import SoftInpainting, blend_latents, difference_masks, mask_at

SHAPE = (1, 4, 8, 8)


def noise(seed: int) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def test_a_soft_mask_opens_as_the_noise_falls() -> None:
    nmask = torch.full((4, 8, 8), 0.5)
    masks = [mask_at(SoftInpainting(), nmask, torch.tensor(sigma)).mean().item() for sigma in (14.0, 1.0, 0.0)]
    assert masks == sorted(masks) and masks[-1] == 1.0
    hard = torch.tensor([0.0, 1.0]).expand(4, 1, 2)
    assert torch.equal(mask_at(SoftInpainting(), hard, torch.tensor(5.0)), hard)


def test_the_blend_goes_from_one_to_the_other() -> None:
    a, b = noise(1), noise(2)
    for share, want in ((torch.zeros(4, 8, 8), a), (torch.ones(4, 8, 8), b)):
        assert torch.allclose(blend_latents(SoftInpainting(), a, b, share), want, atol=1e-4)


@pytest.mark.parametrize("exponent", [1.0, 4.0, 32.0])
def test_half_way_the_length_lies_between_both(exponent: float) -> None:
    a, b = noise(1), noise(2)
    mixed = blend_latents(SoftInpainting(contrast_boost=exponent), a, b, torch.full((4, 8, 8), 0.5))
    lengths = [torch.linalg.vector_norm(x, dim=1) for x in (a, b, mixed)]
    assert mixed.dtype == a.dtype and torch.isfinite(mixed).all()
    assert (lengths[2] <= torch.maximum(lengths[0], lengths[1]) + 1e-3).all()
    assert (lengths[2] >= torch.minimum(lengths[0], lengths[1]) - 1e-3).all()


def masks_for(change: float, paste_to: tuple[int, int, int, int] | None = None) -> tuple[Image.Image, Image.Image]:
    original = torch.zeros(SHAPE)
    overlay = Image.new("RGBA", (96, 96) if paste_to else (64, 64), "red")
    nmask = torch.full((4, 8, 8), 0.5)
    masks, overlays = difference_masks(SoftInpainting(), nmask, original, original + change, [overlay], (64, 64), paste_to)
    return masks[0], overlays[0]


def test_what_did_not_change_is_covered_by_the_original() -> None:
    mask, overlay = masks_for(0.0)
    assert np.asarray(mask.convert("L")).max() == 0
    assert overlay.getchannel("A").getextrema() == (255, 255)


def test_what_changed_much_is_not_covered() -> None:
    mask, overlay = masks_for(50.0)
    assert np.asarray(mask.convert("L")).min() >= 254
    assert overlay.getchannel("A").getextrema()[1] <= 1


def test_outside_the_drawn_part_the_original_covers_all() -> None:
    mask, overlay = masks_for(50.0, (16, 16, 64, 64))
    assert mask.size == overlay.size == (96, 96)
    assert overlay.getpixel((4, 4))[3] == 255 and overlay.getpixel((48, 48))[3] <= 1


def test_a_job_says_its_settings_in_the_order_of_the_arguments() -> None:
    values = (2, 0.8, 6, 0.3, 0.6, 3)
    assert list(SoftInpainting(*values).infotext().values()) == [True, *values]
