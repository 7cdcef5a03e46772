"""Face restoration: what is missing is said; faces are put back where they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from modules.enhance import face_paste
from modules.enhance.errors import ModelMissing, UnknownFaceRestorer, UnsupportedModel
from modules.enhance.face_finder import filled
from modules.enhance.faces import FaceRestorers
from modules.nets.codeformer import CodeFormer
from modules.nets.parsenet import ParseNet
from modules.nets.retinaface import RetinaFace, anchor_boxes
from modules.settings.store import Options

FACE = (face_paste.TEMPLATE * 0.25 + 50).astype(np.float32)
"""Landmarks of a face of 128 pixels whose corner lies at (50, 50)."""


@pytest.fixture
def restorers(tmp_path: Path, options: Options) -> FaceRestorers:
    folders = {name: tmp_path / name for name in ("GFPGAN", "Codeformer", "facexlib", "opencv")}
    for folder in folders.values():
        folder.mkdir()
    return FaceRestorers(folders, options, lambda task: (torch.device("cpu"), torch.float32))


@pytest.fixture
def painting(restorers: FaceRestorers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FaceRestorers:
    """Restorers that find one face and paint it green."""
    for file in ("Codeformer/codeformer.pth", "GFPGAN/detection_Resnet50_Final.pth"):
        (tmp_path / file).write_bytes(b"x")
    green = np.zeros((512, 512, 3), dtype=np.uint8)
    green[:, :, 1] = 255
    monkeypatch.setattr(restorers._finder, "find", lambda image, task: [FACE])
    monkeypatch.setattr(restorers, "_restored_face", lambda *_: green)
    return restorers


def test_missing_weights_say_what_goes_where(restorers: FaceRestorers, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"CodeFormer needs codeformer-v0.1.0.pth .*put it into .*Codeformer"):
        restorers.restore(Image.new("RGB", (64, 64)), "CodeFormer")
    (tmp_path / "GFPGAN" / "GFPGANv1.4.pth").write_bytes(b"x")
    with pytest.raises(ModelMissing, match="face detection needs detection_Resnet50_Final.pth or face_detection_yunet"):
        restorers.restore(Image.new("RGB", (64, 64)), "GFPGAN")


def test_unknown_restorer(restorers: FaceRestorers) -> None:
    with pytest.raises(UnknownFaceRestorer, match="there are: CodeFormer, GFPGAN"):
        restorers.check("Nope")


def test_a_face_comes_back_where_it_was(painting: FaceRestorers) -> None:
    restored = np.asarray(painting.restore(Image.new("RGB", (256, 256), "red"), "CodeFormer"))
    assert restored[114, 114].tolist() == pytest.approx([0, 255, 0], abs=1)
    assert tuple(restored[20, 20]) == (255, 0, 0)
    changed = np.argwhere((restored != (255, 0, 0)).any(axis=2))
    assert changed.min() >= 50
    assert changed.max() <= 178


def test_visibility_blends(painting: FaceRestorers) -> None:
    half = painting.restore(Image.new("RGB", (256, 256), "red"), "CodeFormer", visibility=0.5)
    assert half.getpixel((114, 114)) == pytest.approx((127, 127, 0), abs=1)
    none = painting.restore(Image.new("RGB", (256, 256), "red"), "CodeFormer", visibility=0)
    assert none.getcolors() == [(256 * 256, (255, 0, 0))]


def test_only_parts_of_the_face_are_taken() -> None:
    parts = np.zeros((512, 512), dtype=np.int64)
    parts[:, 256:] = 1
    pixels, green = np.zeros((512, 512, 3), dtype=np.uint8), np.full((512, 512, 3), 200, dtype=np.uint8)
    matrix = face_paste.face_transform(face_paste.TEMPLATE.astype(np.float32))
    assert matrix is not None
    pasted = face_paste.paste_face(pixels, green, matrix, parts)
    assert pasted[256, 450, 0] == pytest.approx(200, abs=1)
    assert pasted[256, 60, 0] == pytest.approx(0, abs=1)


@pytest.mark.parametrize("landmarks", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), 7.0)])
def test_impossible_landmarks_are_no_face(landmarks: Any) -> None:
    assert face_paste.face_transform(landmarks.astype(np.float32)) is None


def test_weights_of_another_network_are_a_typed_error(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "wrong.safetensors")
    with pytest.raises(UnsupportedModel, match="has no tensor"):
        filled(ParseNet(), tmp_path / "wrong.safetensors", "face parser")


def test_names_of_the_networks_are_those_of_the_published_weights() -> None:
    with torch.device("meta"):
        names = {kind: set(kind().state_dict()) for kind in (RetinaFace, ParseNet, CodeFormer)}
    expected: dict[type, tuple[int, list[str]]] = {
        RetinaFace: (456, ["body.layer3.5.bn3.running_var", "fpn.merge2.1.bias", "ssh3.conv7x7_3.0.weight", "LandmarkHead.2.conv1x1.bias"]),
        ParseNet: (238, ["encoder.4.shortcut_func.conv2d.bias", "body.9.conv2.norm.norm.weight", "decoder.3.conv1.conv2d.weight"]),
        CodeFormer: (
            515,
            ["position_emb", "ft_layers.8.self_attn.in_proj_weight", "fuse_convs_dict.256.shift.2.bias", "quantize.embedding.weight"],
        ),
    }
    for kind, (count, some) in expected.items():
        assert set(some) <= names[kind], kind
        assert len(names[kind]) == count, kind


def test_there_are_two_anchors_in_every_cell() -> None:
    anchors = anchor_boxes(64, 96)
    assert anchors.shape == (2 * (8 * 12 + 4 * 6 + 2 * 3), 4)
    assert anchors[0].tolist() == pytest.approx([4 / 96, 4 / 64, 16 / 96, 16 / 64])
