from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from modules.weights.errors import BadHeader, NotWeights, PickleFile, PointerFile, WeightsError
from modules.weights.safetensors_file import TensorFile

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 4265146304\n"


def opening(tmp_path: Path, content: bytes) -> WeightsError:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        TensorFile.open(path, kind="checkpoint")
    assert caught.value.path == path
    assert "x.safetensors" in str(caught.value)
    return caught.value


def torch_zip() -> bytes:
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(3)}, buffer)
    return buffer.getvalue()


def other_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x/data.pkl", "x")
    return buffer.getvalue()


def test_an_lfs_pointer_says_its_size(tmp_path: Path) -> None:
    error = opening(tmp_path, LFS)
    assert type(error) is PointerFile
    assert "4.3 GB" in str(error) and "git lfs pull" in str(error)


@pytest.mark.parametrize(
    "page",
    [b"<!DOCTYPE html><html><head><title>Login", b"\n\n <HTML lang=en>", b"\xef\xbb\xbf<!doctype html>", b"<?xml version='1.0'?><Error>"],
)
def test_a_web_page(tmp_path: Path, page: bytes) -> None:
    error = opening(tmp_path, page + b"x" * 5000)
    assert type(error) is NotWeights
    assert "web page" in str(error)


@pytest.mark.parametrize("text", [b'{"error":"Unauthorized"}', b"Not Found", "모델이 없습니다\n".encode() * 300])
def test_text(tmp_path: Path, text: bytes) -> None:
    error = opening(tmp_path, text)
    assert type(error) is NotWeights
    assert "is text" in str(error)


@pytest.mark.parametrize("content", [torch_zip(), other_zip(), pickle.dumps({"a": 1}, 2), pickle.dumps({"a": 1}, 5)])
def test_pickles_are_named_and_never_run(tmp_path: Path, content: bytes) -> None:
    error = opening(tmp_path, content)
    assert type(error) is PickleFile
    assert "webui.sh convert" in str(error)


@pytest.mark.parametrize("magic", [b"GGUF\x03\0\0\0", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b\x08\0", b"MZ\x90\0", b"\x7fELF"])
def test_other_formats(tmp_path: Path, magic: bytes) -> None:
    assert type(opening(tmp_path, magic + bytes(200))) is NotWeights


def test_zeros_and_noise(tmp_path: Path) -> None:
    assert type(opening(tmp_path, bytes(10_000))) is BadHeader
    assert type(opening(tmp_path, bytes(range(200, 256)) * 100)) is BadHeader
