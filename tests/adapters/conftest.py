"""Models and settings for tests of networks in the prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from adapters.small_models import Model, small_model
from golden_data import data_folder
from safetensors.torch import save_file

from modules.adapters.networks import NetworkFolders, Networks
from modules.settings.store import Options
from modules.weights import pickle_policy


@pytest.fixture
def model() -> Model:
    return small_model()


@pytest.fixture
def settings() -> Options:
    """The stored settings at their defaults; `set` changes one."""
    return Options()


@pytest.fixture
def folders(tmp_path: Path) -> NetworkFolders:
    made = NetworkFolders(*((tmp_path / name,) for name in ("Lora", "embeddings", "hypernetworks")))
    for folder in (*made.loras, *made.embeddings, *made.hypernetworks):
        folder.mkdir()
    return made


@pytest.fixture
def networks(folders: NetworkFolders, tmp_path: Path) -> Networks:
    return Networks(folders, tmp_path / "cache")


@pytest.fixture
def save_lora(folders: NetworkFolders) -> Callable[..., Path]:
    """`save_lora(name, tensors, **metadata)` puts a file into the LoRA folder."""

    def save(name: str, tensors: dict[str, torch.Tensor], **metadata: str) -> Path:
        path = folders.loras[0] / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path, metadata or None)
        return path

    return save


@pytest.fixture
def tiny_networks() -> Networks:
    """The recorded network files."""
    data = data_folder("models/Lora/tiny-lora.safetensors", "models/hypernetworks/tinyhn.pt")
    return Networks(NetworkFolders((data / "models" / "Lora",), (data / "embeddings",), (data / "models" / "hypernetworks",)))


@pytest.fixture(autouse=True)
def small_pickles_allowed() -> Iterator[None]:
    with pickle_policy.deciding("small files"):
        yield
