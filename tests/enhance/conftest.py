"""Upscalers over folders of a test, on the processor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.enhance.upscalers import Upscalers
from modules.settings.store import Options
from modules.weights import pickle_policy


class Folders(dict[str, Path]):
    def __init__(self, models: Path) -> None:
        super().__init__()
        self.models = models

    def __missing__(self, name: str) -> Path:
        return self.models / name


def on_cpu(task: str):
    import torch

    return torch.device("cpu"), torch.float32


@pytest.fixture
def options() -> Options:
    return Options(None)


@pytest.fixture
def make_upscalers(options: Options) -> Callable[[Path], Upscalers]:
    return lambda models: Upscalers(Folders(models), options, on_cpu)


@pytest.fixture
def upscalers(make_upscalers: Callable[[Path], Upscalers], tmp_path: Path) -> Upscalers:
    """Without a single model file."""
    return make_upscalers(tmp_path)


@pytest.fixture
def golden_upscalers(make_upscalers: Callable[[Path], Upscalers]):
    """With the tiny networks of the recordings, which are pickles."""
    from golden_data import data_folder

    folder = data_folder("models/ESRGAN/tinyESRGAN_x2.pth", "models/SwinIR/tinySwinIR_x2.pth")
    with pickle_policy.deciding("small files"):
        yield make_upscalers(folder / "models")


@pytest.fixture
def picture() -> Image.Image:
    """100 x 84 pixels with edges, slopes and noise."""
    y, x = np.mgrid[0:84, 0:100]
    pixels = np.stack([x * 2, y * 3, (x // 8 + y // 8) % 2 * 200], axis=-1) + np.random.default_rng(1).integers(0, 20, (84, 100, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
