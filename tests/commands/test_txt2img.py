"""The command as a user runs it: its own process, the real model, a file at the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from modules.engine.paths import PROGRAM

AVATAR = PROGRAM / "models" / "Stable-diffusion" / "avatar.safetensors"
pytestmark = pytest.mark.skipif(not AVATAR.is_file(), reason="the avatar model is not in this checkout")


def webui(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, PROGRAM / "webui.py", *words], capture_output=True, text=True, timeout=120)


def test_a_picture_with_its_infotext(tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    words = ("txt2img", "1girl, pink hair, twin tail, smile", "-o", str(out), "--steps", "2", "--seed", "7", "--sampler", "Euler a")
    done = webui(*words, "--data-dir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out)
    with Image.open(out) as image:
        assert image.size == (128, 128)
        assert "Sampler: Euler a" in image.info["parameters"] and "Seed: 7" in image.info["parameters"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--size", "big"), "--size"),
        (("--steps", "0"), "steps"),
        (("--model", "nothing"), "nothing"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_status(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    done = webui("txt2img", "a cat", "-o", str(tmp_path / "x.png"), "--data-dir", str(tmp_path), *words)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and told in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "x.png").exists()


def test_help_tells_what_it_can_do() -> None:
    done = webui("txt2img", "--help")
    assert done.returncode == 0
    for word in ("--steps", "--seed", "--sampler", "--size", "examples:"):
        assert word in done.stdout
