"""Infotext inside pictures, also inside those of other programs."""

from __future__ import annotations

import io
import json
import struct

import pytest
from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from modules.imaging.encoding import UnknownFormat, encode, fitting_extension
from modules.imaging.metadata import EXIF_IFD, USER_COMMENT, read_info_from_image


def test_reading_a_recorded_picture() -> None:
    with Image.open(golden("inputs", "with_info.png")) as image:
        infotext, items = read_info_from_image(image)
    assert infotext is not None and infotext.startswith("a cat on a mat\nNegative prompt: bad, ugly\nSteps: 5")
    assert items == {"other": "x"}


TEXTS = st.text(min_size=1, alphabet=st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"))


@given(TEXTS, st.sampled_from(["png", "jpg", "webp"]))
def test_any_text_comes_back(text: str, extension: str) -> None:
    with Image.open(io.BytesIO(encode(Image.new("RGB", (2, 2)), extension, text))) as image:
        assert read_info_from_image(image)[0] == text


def test_lone_surrogates_do_not_break_saving() -> None:
    for extension in ("png", "jpg", "webp", "gif"):
        assert encode(Image.new("RGB", (2, 2)), extension, "a\ud800b")


def test_existing_chunks_are_kept() -> None:
    content = encode(Image.new("RGB", (2, 2)), "png", "extras text", chunk="extras", existing={"parameters": "p", "icc": b"x", "": "y"})
    with Image.open(io.BytesIO(content)) as image:
        assert image.info == {"parameters": "p", "extras": "extras text"}


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + "a cat".encode("utf-16-le"),
        b"UNICODE\0" + "a cat".encode("utf-16-be"),
        b"ASCII\0\0\0a cat",
        b"\0\0\0\0\0\0\0\0a cat",
        b"a cat",
        b"UNICODE\0a cat",
    ],
)
def test_comments_of_other_programs(comment: bytes) -> None:
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = comment
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif.tobytes())
    with Image.open(buffer) as image:
        assert read_info_from_image(image)[0] == "a cat"


@given(st.binary(max_size=200))
def test_broken_exif_is_no_error(junk: bytes) -> None:
    image = Image.new("RGB", (2, 2))
    image.info["exif"] = b"Exif\0\0" + junk
    image.info["parameters"] = "kept"
    assert read_info_from_image(image)[0] is not None


def test_a_text_too_long_for_jpeg_does_not_lose_the_picture() -> None:
    with Image.open(io.BytesIO(encode(Image.new("RGB", (2, 2)), "jpg", "x" * 50_000))) as image:
        assert image.size == (2, 2)


def test_novelai() -> None:
    info = PngInfo()
    info.add_text("Software", "NovelAI")
    info.add_text("Description", "a cat")
    info.add_text("Comment", json.dumps({"uc": "bad", "steps": 28, "sampler": "k_euler", "scale": 11, "seed": 3}))
    buffer = io.BytesIO()
    Image.new("RGB", (8, 16)).save(buffer, "PNG", pnginfo=info)
    with Image.open(buffer) as image:
        infotext, _ = read_info_from_image(image, {"k_euler": "Euler"})
        assert infotext == (
            "a cat\nNegative prompt: bad\nSteps: 28, Sampler: Euler, CFG scale: 11, Seed: 3, Size: 8x16, Clip skip: 2, ENSD: 31337"
        )
        image.info["Comment"] = "{"
        assert read_info_from_image(image)[0] is None


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "I;16", "LA", "CMYK", "1"])
@pytest.mark.parametrize("extension", ["jpg", "webp"])
def test_every_mode_can_be_a_jpeg(mode: str, extension: str) -> None:
    with Image.open(io.BytesIO(encode(Image.new(mode, (4, 4)), extension, "x"))) as image:
        assert image.mode in ("RGB", "L")


def test_sixteen_bit_grey_is_scaled() -> None:
    grey = Image.frombytes("I;16", (8, 8), struct.pack("<64H", *[32768] * 64))
    with Image.open(io.BytesIO(encode(grey, "jpg"))) as image:
        assert abs(image.getpixel((4, 4)) - 127) <= 1


def test_formats() -> None:
    with pytest.raises(UnknownFormat, match="no picture format"):
        encode(Image.new("RGB", (2, 2)), "docx")
    assert fitting_extension("JPG", (65536, 1)) == "png" and fitting_extension("webp", (16383, 1)) == "webp"
