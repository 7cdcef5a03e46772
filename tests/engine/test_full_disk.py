"""A full disk costs no picture: it stays in the result, which says why there is no file."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modules.engine.engine import Engine
from modules.engine.paths import PROGRAM, Paths
from modules.imaging import files
from modules.pipeline.processing import StableDiffusionProcessingTxt2Img
from modules.settings.store import Options

AVATAR = PROGRAM / "models" / "Stable-diffusion" / "avatar.safetensors"
pytestmark = pytest.mark.skipif(not AVATAR.is_file(), reason="the avatar model is not in this checkout")


def test_the_picture_stays_in_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    engine = Engine(SimpleNamespace(no_half=True, use_cpu=["all"]), Paths.from_flags(tmp_path), Options())
    monkeypatch.setattr(files.tempfile, "mkstemp", full)
    try:
        request = StableDiffusionProcessingTxt2Img(prompt="1girl", steps=1, seed=5, width=128, height=128)
        result = engine.run(request)
    finally:
        engine.close()
    assert result.images[0].size == (128, 128)
    assert "the disk is full; free some space and save it again" in result.comments
    assert not list(tmp_path.rglob("*.png"))
