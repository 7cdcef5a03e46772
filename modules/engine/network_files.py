"""Where this program's LoRAs, textual inversions and hypernetworks lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.adapters.networks import NetworkFolders, Networks

if TYPE_CHECKING:
    from modules.engine.paths import Paths


def networks_of(flags: Any, paths: Paths) -> Networks:
    """The networks of the folders that flags name, else of A1111's places; nothing is read yet."""
    folders = NetworkFolders(
        loras=(
            _folder(flags, "lora_dir", paths.models / "Lora"),
            _folder(flags, "lyco_dir_backcompat", paths.models / "LyCORIS"),
        ),
        embeddings=(_folder(flags, "embeddings_dir", paths.data / "embeddings"),),
        hypernetworks=(_folder(flags, "hypernetwork_dir", paths.models / "hypernetworks"),),
    )
    return Networks(folders, paths.cache, hashing=not getattr(flags, "no_hashing", False))


def _folder(flags: Any, name: str, default: Path) -> Path:
    given = getattr(flags, name, None)
    return Path(given) if given else default
