"""A network file in memory: its layers by name, and the textual inversions it brings along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.adapters import names
from modules.adapters.errors import UnknownLayerKind
from modules.adapters.kinds.recognise import make_layer
from modules.adapters.textual_inversion import Embedding, embedding_of
from modules.weights.open_tensors import open_tensors

if TYPE_CHECKING:
    from modules.adapters.kinds.layer import Layer
    from modules.adapters.lora_files import LoraFile


@dataclass(frozen=True)
class Network:
    """The layers of one file by their names in the spelling of `names.canonical`, on the CPU and in the file's own types."""

    file: LoraFile
    stamp: tuple[int, int]
    layers: dict[str, Layer]
    embeddings: dict[str, Embedding]


def load_network(file: LoraFile, stamp: tuple[int, int]) -> Network:
    """Read a network file. Raises a WeightsError, UnknownLayerKind for tensors that no kind recognises."""
    with open_tensors(file.filename, kind="LoRA") as tensors:
        layers: dict[str, Layer] = {}
        for name, parts in names.by_layer(tensors.keys()).items():
            layer = make_layer({part: tensors.read(key) for part, key in parts.items()})
            if layer is None:
                raise UnknownLayerKind(file.filename, name, ", ".join(sorted(parts)))
            layers[name] = layer
        embeddings = {
            name: embedding_of({vector: tensors.read(key) for vector, key in vectors.items()}, name, file.filename)
            for name, vectors in names.bundled(tensors.keys()).items()
        }
    return Network(file, stamp, layers, embeddings)
