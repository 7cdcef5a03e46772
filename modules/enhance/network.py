"""An upscaler's or restorer's network in memory, built by spandrel from what a weight file holds."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.enhance.errors import UnsupportedModel
from modules.weights.open_tensors import open_tensors

if TYPE_CHECKING:
    import torch
    from torch import Tensor

log = logging.getLogger(__name__)

Placement = Callable[[str], "tuple[torch.device, torch.dtype]"]
"""Device and precision for a task, named as `--use-cpu` names it."""
KEPT = 2
WRAPPERS = ("params_ema.", "params-ema.", "params.", "state_dict.", "model_state_dict.")
"""Names that training programs put around the tensors, best first."""


def read_tensors(path: Path, kind: str = "file") -> dict[str, Tensor]:
    """All tensors of a weight file under their bare names; raises WeightsError for a file that cannot be used."""
    with open_tensors(path, kind=kind) as file:
        names = list(file.keys())
        prefix = next((wrapper for wrapper in WRAPPERS if any(name.startswith(wrapper) for name in names)), "")
        return {name.removeprefix(prefix): file.read(name) for name in names if name.startswith(prefix)}


def build(path: Path, kind: str = "upscaler") -> Any:
    """spandrel's descriptor of the network in a file, on the CPU. Raises WeightsError and UnsupportedModel."""
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    tensors = read_tensors(path, kind)
    try:
        model = ModelLoader().load_from_state_dict(tensors)
    except UnsupportedModelError:
        raise UnsupportedModel(f"{kind} '{path.name}' is of no architecture that is known here; use another model") from None
    except (RuntimeError, KeyError, ValueError, IndexError, TypeError, AssertionError, ZeroDivisionError) as error:
        raise UnsupportedModel(f"{kind} '{path.name}' does not fit the network that its names suggest: {_short(error)}") from error
    if not isinstance(model, ImageModelDescriptor):
        raise UnsupportedModel(f"{kind} '{path.name}' is a {model.architecture.name} model, which needs more than a picture")
    return model.eval()


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


class NetworkCache:
    """The networks used last, on their devices; a file that changed is read again."""

    def __init__(self, place: Placement, kept: int = KEPT) -> None:
        self._place, self._kept = place, kept
        self._lock = threading.Lock()
        self._networks: OrderedDict[tuple[str, float], Any] = OrderedDict()
        self._parked = False

    def get(self, path: Path, task: str, make: Callable[[Path], Any] = build) -> Any:
        """The network of a file, loaded if need be; raises what `make` raises, and UnreadableFile for a missing file."""
        key = (str(path), path.stat().st_mtime if path.is_file() else 0.0)
        with self._lock:
            if key not in self._networks:
                self._networks[key] = self._placed(make(path), task)
                log.info("loaded %s", path.name)
                while len(self._networks) > self._kept:
                    self._networks.popitem(last=False)
            elif self._parked:
                self._networks[key] = self._placed(self._networks[key], task)
            self._networks.move_to_end(key)
            return self._networks[key]

    def park(self) -> None:
        """Move all networks out of the graphics card's memory until they are needed again."""
        with self._lock:
            self._parked = True
            for key, network in self._networks.items():
                self._networks[key] = network.to("cpu")

    def clear(self) -> None:
        """Forget all networks."""
        with self._lock:
            self._networks.clear()

    def _placed(self, model: Any, task: str) -> Any:
        import torch

        device, dtype = self._place(task)
        if dtype == torch.float16 and not getattr(model, "supports_half", True):
            dtype = torch.float32
        return model.to(device=device, dtype=dtype)
