"""The VAEs a user has, and which of them goes with a checkpoint (generation.md §3.7 of the reference)."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.engine.paths import Paths
from modules.weights.errors import UnreadableFile

if TYPE_CHECKING:
    from modules.engine.checkpoints import CheckpointInfo

log = logging.getLogger(__name__)

SUFFIXES = (".safetensors", ".ckpt", ".pt")
BESIDE_CHECKPOINTS = (".vae.safetensors", ".vae.ckpt", ".vae.pt")
AUTOMATIC = ("Automatic", "auto", "")
OWN = "None"
MAX_METADATA = 1 << 20


class VaeRegistry:
    """VAE files by name: those of the VAE folders, and those named `.vae.` beside checkpoints."""

    def __init__(self, paths: Paths, flags: Any) -> None:
        self._paths = paths
        self._extra = getattr(flags, "vae_dir", None)
        self._forced = getattr(flags, "vae_path", None)
        self._files: dict[str, Path] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the folders again."""
        folders = [(folder, BESIDE_CHECKPOINTS) for folder in self._paths.checkpoints]
        folders += [(self._paths.models / "VAE", SUFFIXES)]
        folders += [(Path(self._extra), SUFFIXES)] if self._extra else []
        found = {name: file for folder, suffixes in folders for name, file in _files(folder, suffixes)}
        self._files = {name: found[name] for name in sorted(found, key=str.lower)}

    @property
    def files(self) -> dict[str, Path]:
        """Path of every VAE by its file name, in the order of the names."""
        return dict(self._files)

    def choose(self, info: CheckpointInfo, settings: Any) -> Path | None:
        """The VAE for a checkpoint under the settings in force; None for the checkpoint's own.

        In this order: `--vae-path`; the setting, where it overrides what models prefer; the model's own preference (`vae` in the JSON
        file beside it); a file whose name begins like the checkpoint's; the setting. A name nobody knows stands for the checkpoint's
        own. Raises UnreadableFile when the file of `--vae-path` is not there.
        """
        if self._forced:
            return self._required(Path(self._forced))
        name = str(settings.sd_vae)
        automatic = name in AUTOMATIC
        if not automatic and settings.sd_vae_overrides_per_model_preferences:
            return self._named(name)
        preferred = preference(info)
        if preferred == OWN:
            return None
        if preferred in self._files:
            return self._files[preferred]
        return self._near(info) or (None if automatic else self._named(name))

    def _named(self, name: str) -> Path | None:
        if name != OWN and name not in self._files:
            log.warning("VAE '%s' was not found; the checkpoint's own is used", name)
        return self._files.get(name)

    def _near(self, info: CheckpointInfo) -> Path | None:
        """The first VAE whose name begins with the checkpoint's name."""
        return next((file for name, file in self._files.items() if name.startswith(info.filename.stem)), None)

    def _required(self, path: Path) -> Path:
        if not path.is_file():
            raise UnreadableFile(path, "of --vae-path is not there; correct or remove the flag", kind="VAE")
        return path


def preference(info: CheckpointInfo) -> str | None:
    """The VAE's name in the JSON file of a checkpoint's card; None where it has none or says Automatic."""
    path = info.filename.with_suffix(".json")
    try:
        if path.stat().st_size > MAX_METADATA:
            return None
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    name = document.get("vae") if isinstance(document, dict) else None
    return name if isinstance(name, str) and name not in AUTOMATIC else None


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[tuple[str, Path]]:
    return [
        (name, Path(root, name))
        for root, _, names in os.walk(folder, followlinks=True)
        for name in sorted(names)
        if name.lower().endswith(suffixes)
    ]
