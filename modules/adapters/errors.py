"""What can be wrong with a network named in a prompt; the job goes on without it and the user is told."""

from __future__ import annotations

from pathlib import Path

from modules.weights.errors import WeightsError


class NetworkError(Exception):
    """A network cannot be used as asked; the message is one sentence for the user."""


class BadArgument(NetworkError):
    """A tag's argument is not what it has to be."""


class LayerMismatch(NetworkError):
    """A network's tensors do not fit the layer they are meant for."""


class UnknownLayerKind(WeightsError):
    """A network file holds tensors of no kind known here."""

    def __init__(self, path: str | Path, layer: str, parts: str) -> None:
        problem = f"has tensors of no known kind for the layer {layer} ({parts}); it may be of a newer kind or no LoRA at all"
        super().__init__(path, problem, kind="network")
