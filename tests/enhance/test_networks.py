"""Networks over pictures: equal to the recordings, whole or in tiles; broken files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_data import golden
from PIL import Image
from safetensors.torch import save_file

from modules.enhance.errors import UnsupportedModel
from modules.enhance.tiling import from_bgr, to_bgr, upscale_by_pixels, upscale_by_tensors
from modules.enhance.upscalers import Upscalers, unwatched
from modules.weights import pickle_policy
from modules.weights.errors import PickleFile, WeightsError


def psnr(first: Image.Image, second: Image.Image) -> float:
    difference = np.asarray(first.convert("RGB"), dtype=float) - np.asarray(second.convert("RGB"), dtype=float)
    return float(10 * np.log10(255**2 / max((difference**2).mean(), 1e-9)))


@pytest.mark.parametrize("case", ["esrgan2", "esrgan4_to3", "nearest1.5", "x4.3"])
def test_pictures_are_the_recorded_ones(golden_upscalers: Upscalers, case: str) -> None:
    payload = json.loads(golden("cases", "extras", case, "payload.json").read_text())["payload"]
    image = Image.open(golden(payload["image"].removeprefix("@")))
    made = golden_upscalers.upscale(image, payload["upscaling_resize"], payload["upscaler_1"])
    assert psnr(made, Image.open(golden("cases", "extras", case, "0.png"))) > 60


class Doubling:
    """A network that repeats each pixel, so that tiles must not show."""

    scale, device, dtype = 2, torch.device("cpu"), torch.float32

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.mark.parametrize("tile", [0, 16, 32, 64])
@pytest.mark.parametrize("way", [upscale_by_pixels, upscale_by_tensors])
def test_tiles_do_not_show(picture: Image.Image, way: Callable[..., Image.Image], tile: int) -> None:
    expected = picture.resize((200, 168), Image.Resampling.NEAREST)
    difference = np.asarray(way(Doubling(), picture, tile, 8, unwatched), dtype=int) - np.asarray(expected)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("way", [upscale_by_pixels, upscale_by_tensors])
def test_an_overlap_wider_than_the_tile_is_cut_down(picture: Image.Image, way: Callable[..., Image.Image]) -> None:
    assert way(Doubling(), picture, 16, 48, unwatched).size == (200, 168)


def test_channels_are_fed_blue_first(picture: Image.Image) -> None:
    tensor = to_bgr(picture, torch.device("cpu"), torch.float32)
    assert tensor.shape == (1, 3, 84, 100)
    assert tensor[0, 0, 3, 5].item() == pytest.approx(picture.getpixel((5, 3))[2] / 255)
    assert from_bgr(tensor) == picture


def test_a_pickle_is_read_only_where_the_settings_allow_it(golden_upscalers: Upscalers, picture: Image.Image) -> None:
    with pickle_policy.deciding("never"), pytest.raises(PickleFile, match="tinyESRGAN_x2.pth"):
        golden_upscalers.upscale(picture, 2, "tinyESRGAN_x2")


@pytest.mark.parametrize("content", [b"", b"<html>", b"\0" * 64])
def test_a_broken_file_is_a_typed_error(
    make_upscalers: Callable[[Path], Upscalers], tmp_path: Path, picture: Image.Image, content: bytes
) -> None:
    (tmp_path / "ESRGAN").mkdir()
    (tmp_path / "ESRGAN" / "broken.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="broken.safetensors"):
        make_upscalers(tmp_path).upscale(picture, 2, "broken")


@pytest.mark.parametrize(
    "tensors",
    [
        {"a": torch.zeros(3)},
        {"model.0.weight": torch.zeros(4, 3, 3, 3), "model.1.sub.0.RDB1.conv1.0.weight": torch.zeros(2)},
        {"conv_first.weight": torch.zeros(8, 3, 3, 3), "layers.0.residual_group.blocks.0.norm1.weight": torch.zeros(8)},
    ],
)
def test_a_network_that_is_none_is_a_typed_error(
    make_upscalers: Callable[[Path], Upscalers], tmp_path: Path, picture: Image.Image, tensors: dict[str, torch.Tensor]
) -> None:
    (tmp_path / "ESRGAN").mkdir()
    save_file(tensors, tmp_path / "ESRGAN" / "strange.safetensors")
    with pytest.raises(UnsupportedModel, match="strange.safetensors"):
        make_upscalers(tmp_path).upscale(picture, 2, "strange")


def test_a_changed_file_is_read_again(golden_upscalers: Upscalers, picture: Image.Image) -> None:
    first = golden_upscalers.upscale(picture, 2, "tinyESRGAN_x2")
    networks = golden_upscalers._networks
    path = golden_upscalers.get("tinyESRGAN_x2").file
    assert path is not None
    assert networks.get(path, "esrgan") is networks.get(path, "esrgan")
    networks.clear()
    assert golden_upscalers.upscale(picture, 2, "tinyESRGAN_x2") == first
