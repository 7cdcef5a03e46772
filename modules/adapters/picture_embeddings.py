"""Textual inversions stored in pictures: in a PNG text chunk, or in noisy strips beside the picture (generation.md §1.8 and §10.10)."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from modules.weights.errors import BadHeader, UnreadableFile

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

TEXT_KEY = "sd-ti-embedding"
TENSOR_KEY = "TORCHTENSOR"
MAX_JSON = 64_000_000
"""Bytes of JSON; a hundred vectors of SDXL take less than a tenth of it."""


@dataclass(frozen=True)
class PictureData:
    """What a picture holds: tensors by dotted name, and the other values."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


def data_in_picture(path: Path) -> PictureData | None:
    """The embedding data of a picture; None where it holds none, or its name says that it is a preview.

    Raises UnreadableFile for what is no picture, BadHeader for damaged data.
    """
    if Path(path.stem).suffix.lower() == ".preview":
        return None
    try:
        with Image.open(path) as image:
            text = getattr(image, "text", image.info).get(TEXT_KEY)
            raw = _decoded(path, text) if text else strips(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableFile(path, f"is no readable picture ({error}); remove it or download it again", kind="embedding") from error
    return None if raw is None else _data(path, raw)


def strips(image: Image.Image) -> bytes | None:
    """The JSON hidden in the strips left and right of a picture; None where there are none or they hold no data.

    A strip is as high as the picture and parted from it by a black column; of every colour value only the low four bits
    count. The left strip has the low halves of the compressed bytes, the right one the high halves.
    """
    pixels = _without_black_border(np.asarray(image.convert("RGB"), dtype=np.uint8)) & np.uint8(0x0F)
    black = np.flatnonzero(pixels.sum(axis=(0, 2)) == 0)
    if len(black) < 2:
        return None
    low, high = pixels[:, : black.min()], pixels[:, black.max() + 1 :]
    if low.shape != high.shape or not low.size:
        return None
    packed = (unmasked(high) << np.uint8(4) | unmasked(low)).tobytes()
    try:
        stream = zlib.decompressobj()
        return stream.decompress(packed, MAX_JSON)
    except zlib.error:
        return None


def unmasked(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A block of half bytes xor the stream of a linear congruential generator; twice gives the block again."""
    return block ^ _stream(block.size).reshape(block.shape)


def _stream(count: int) -> NDArray[np.uint8]:
    """Low four bits of `count` states mod 255 of x → 1664525·x + 1013904223 mod 2³², from 0 on."""
    state, values = 0, np.empty(count, dtype=np.uint8)
    for index in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        values[index] = state % 255 & 0x0F
    return values


def _without_black_border(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The part between the first and last rows and columns that have a pixel with no black channel."""
    bright = np.all(pixels > 0, axis=2)
    rows, columns = np.flatnonzero(np.any(bright, axis=1)), np.flatnonzero(np.any(bright, axis=0))
    if not len(rows) or not len(columns):
        return pixels[:0, :0]
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _decoded(path: Path, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadHeader(path, "has damaged embedding data; download it again", kind="embedding") from error


def _data(path: Path, raw: bytes) -> PictureData:
    try:
        found = json.loads(raw)
        if not isinstance(found, dict):
            raise ValueError("no object")
        tensors: dict[str, Tensor] = {}
        _collect(found, "", tensors)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadHeader(path, f"has damaged embedding data ({error}); download it again", kind="embedding") from error
    return PictureData(tensors, {key: value for key, value in found.items() if not isinstance(value, dict)})


def _collect(value: Mapping[str, Any], name: str, tensors: dict[str, Tensor]) -> None:
    """Tensors among nested objects, each written as {"TORCHTENSOR": nested lists}."""
    import torch

    for key, item in value.items():
        full = f"{name}.{key}" if name else key
        if isinstance(item, dict) and TENSOR_KEY in item:
            tensors[full] = torch.tensor(item[TENSOR_KEY], dtype=torch.float32, device="cpu")
        elif isinstance(item, dict):
            _collect(item, full, tensors)
