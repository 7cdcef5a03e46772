"""Text encoders that a checkpoint leaves out: one file each in a folder that all checkpoints share."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from modules.weights.family import Shape
from modules.weights.keymap import Part, companion_keys
from modules.weights.open_tensors import open_tensors
from modules.weights.weight_file import WeightFile

STEMS: dict[Part, str] = {"text_l": "clip_l", "text_g": "clip_g", "text_t5": "t5xxl"}
DEFAULT_FOLDER = "models/CLIP"


class Source(NamedTuple):
    """Where a network's tensors are: an open file, and for each name in the network its key there."""

    file: WeightFile
    names: Mapping[str, str]

    def shapes(self) -> dict[str, Shape]:
        """Shape of every tensor by its name in the network."""
        return {name: self.file.tensors[key].shape for name, key in self.names.items()}


def find_companion(folder: Path | None, part: Part) -> Path | None:
    """The first file of the folder, by name, that holds this encoder: `clip_l*`, `clip_g*` or `t5xxl*`."""
    if folder is None or not folder.is_dir():
        return None
    return next(iter(sorted(folder.glob(STEMS[part] + "*.safetensors"))), None)


def add_companions(sources: MutableMapping[Part, Source], folder: Path | None, stack: ExitStack) -> None:
    """Take the encoders that are missing among `sources` from the folder, keeping the files open in `stack`. Raises a WeightsError."""
    for part, source in sources.items():
        path = find_companion(folder, part) if part in STEMS and not source.names else None
        if path is not None:
            file = stack.enter_context(open_tensors(path, kind="text encoder"))
            sources[part] = Source(file, companion_keys(file.keys(), part))


def where_to_put(missing: Sequence[Part], folder: Path | None) -> str:
    """The cure for missing encoders, as a clause."""
    files = " and ".join(f"{STEMS[part]}.safetensors" for part in missing if part in STEMS)
    return f"put {files} into {folder or DEFAULT_FOLDER}, or take the checkpoint that includes them"
