"""Opening a weight file of whatever format."""

from __future__ import annotations

from pathlib import Path

from modules.weights import pickle_policy
from modules.weights.mapped import open_regular
from modules.weights.pickle_file import PickleTensorFile
from modules.weights.safetensors_file import TensorFile
from modules.weights.sniff import SAMPLE, is_pickle
from modules.weights.weight_file import WeightFile


def open_tensors(path: str | Path, *, kind: str = "file", consent: bool = False) -> WeightFile:
    """Open a safetensors file or, where the settings allow it, a pickle; its content decides, not its name.

    `kind` is the noun in messages and for the policy: "checkpoint", "VAE", "LoRA", "embedding", "hypernetwork", "upscaler".
    `consent`: the user asked for this very file to be read, so the setting does not matter.
    Raises a WeightsError; PickleFile for a pickle while reading those is switched off.
    """
    path = Path(path)
    with open_regular(path, kind) as file:
        pickled = is_pickle(file.read(SAMPLE))
    if not pickled:
        return TensorFile.open(path, kind=kind)
    pickle_policy.check(path, kind, consent=consent)
    return PickleTensorFile.open(path, kind=kind)
