"""Which checkpoint a name means, against the original's answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from golden_data import golden

from modules.engine.checkpoints import CheckpointRegistry
from modules.engine.paths import Paths

HASHES = {
    "tiny-sd1-b-pickle.ckpt": "f9c6c5b21f", "tiny-sd1-b.safetensors": "2a49b15788", "tiny-sd1-inpaint.safetensors": "925b0e08fd",
    "tiny-sd1.safetensors": "5e0815c66b", "tiny-sd2-eps.safetensors": "ef95078c4e", "tiny-sd2-v.safetensors": "2c77464feb",
    "tiny-sdxl.safetensors": "25748afce5",
}  # fmt: skip


@pytest.fixture
def registry(tmp_path: Path) -> CheckpointRegistry:
    """The recorded list of names and hashes over empty files."""
    folder = tmp_path / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    for name in HASHES:
        (folder / name).touch()
    found = CheckpointRegistry(Paths.from_flags(tmp_path), hashing=False)
    for info in found.list():
        info.sha256 = HASHES[info.name].ljust(64, "0")
    return found


def test_every_recorded_name_means_the_same_checkpoint(registry: CheckpointRegistry) -> None:
    for name, title in json.loads(golden("pure", "closest_checkpoint_match.json").read_text("utf-8")).items():
        info = registry.find(name)
        assert (info.title if info else None) == title, name
