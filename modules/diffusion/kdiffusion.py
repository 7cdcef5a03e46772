"""k-diffusion's sampling functions without k-diffusion's training code, and the place where their noise comes from.

The package's `__init__` imports its training modules and their dependencies (CLIP, wandb, scikit-image). Sampling needs
none of them, so an empty package object with the same search path stands in for it; extensions that import
`k_diffusion.sampling` meet the same modules.

`sample_euler`, `sample_heun`, `sample_dpm_2` and the default noise samplers call `torch.randn_like`. Their module sees a
stand-in for torch whose `randn_like` asks the noise stream of the running job (a context variable, so two threads do not
meet), and torch itself stays as it is. `to_d` divides by σ as it comes: upstream's gives it x's dimensions, which a σ on
the CPU beside an x on a GPU does not survive.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

_stream: ContextVar[Callable[[Tensor], Tensor] | None] = ContextVar("noise_stream", default=None)
_lock = threading.Lock()


class _TorchWithStream(types.ModuleType):
    """torch, except for `randn_like`."""

    def __init__(self) -> None:
        super().__init__("torch")

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    @staticmethod
    def randn_like(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        draw = _stream.get()
        return torch.randn_like(x, *args, **kwargs) if draw is None else draw(x)


@contextmanager
def noise_stream(draw: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """While it is open, k-diffusion's own draws in this context are `draw(x)`, a tensor shaped like x."""
    token = _stream.set(draw)
    try:
        yield
    finally:
        _stream.reset(token)


def _slope(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """dx/dσ; σ is a number on the CPU, so that deciding about it never waits for a GPU."""
    return (x - denoised) / sigma


def _stand_in_package() -> None:
    if "k_diffusion" in sys.modules:
        return
    spec = importlib.util.find_spec("k_diffusion")
    if spec is None:
        raise ImportError("k-diffusion is not installed; run: pip install --no-deps k-diffusion==0.1.1.post1")
    package = types.ModuleType("k_diffusion")
    package.__path__ = list(spec.submodule_search_locations or [])
    package.__spec__ = spec
    sys.modules["k_diffusion"] = package


def load(name: str) -> types.ModuleType:
    """Imports `k_diffusion.<name>`, e.g. "sampling", "external", "utils"."""
    with _lock:
        _stand_in_package()
        module = importlib.import_module(f"k_diffusion.{name}")
        if name == "sampling" and not isinstance(vars(module)["torch"], _TorchWithStream):
            vars(module)["torch"] = _TorchWithStream()
            vars(module)["to_d"] = _slope
    return module


def sampling() -> types.ModuleType:
    """`k_diffusion.sampling`, drawing its noise from the open `noise_stream`."""
    return load("sampling")
