"""Previews of one recorded latent: in full and as the cheap mixture of channels."""

from __future__ import annotations

import numpy as np
import torch
from golden_data import data_folder, golden
from PIL import Image
from torch import Tensor

from modules.nets.vae_approx import cheap_approximation
from modules.pipeline.pixels import to_images
from modules.weights.loader import load_checkpoint

TINY = "models/Stable-diffusion/tiny-sd1.safetensors"


def recorded(name: str) -> Tensor:
    return torch.from_numpy(np.load(golden("pure", "previews.npz"))[name])


def picture(name: str) -> np.ndarray:
    with Image.open(golden("pure", "images", f"preview_{name}.png")) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_the_cheap_preview() -> None:
    drawn = cheap_approximation(recorded("z"), "sd")
    assert torch.allclose(drawn, recorded("approx_cheap"), atol=1e-5)
    assert np.abs(np.asarray(to_images(drawn)[0]).astype(int) - picture("approx_cheap")).max() <= 1


def test_the_full_preview() -> None:
    checkpoint = load_checkpoint(data_folder(TINY) / TINY)
    with torch.no_grad():
        drawn = checkpoint.vae.decode(recorded("z") / 0.18215)
    assert torch.allclose(drawn, recorded("full"), atol=1e-4)
    assert np.abs(np.asarray(to_images(drawn)[0]).astype(int) - picture("full")).max() <= 1
