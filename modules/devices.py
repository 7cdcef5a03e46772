"""Devices and precisions (platform.md §4.14)."""

from __future__ import annotations

import contextlib
import gc
from typing import Any

import torch

from modules.extend import host

cpu = torch.device("cpu")
fp8 = False
unet_needs_upcast = False


class NansException(Exception):
    """A tensor is full of values that are no numbers."""


def _compute() -> Any:
    return host.current().engine.models.compute


def __getattr__(name: str) -> Any:
    if name in ("device", "device_interrogate", "device_gfpgan", "device_esrgan", "device_codeformer"):
        return _compute().device
    dtypes = {"dtype": "unet", "dtype_unet": "unet", "dtype_inference": "unet", "dtype_vae": "vae"}
    if name in dtypes:
        return getattr(_compute(), dtypes[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_optimal_device() -> torch.device:
    """The device the networks run on."""
    device: torch.device = _compute().device
    return device


def get_optimal_device_name() -> str:
    """Its name, `cuda`, `mps` or `cpu`."""
    return str(get_optimal_device())


def get_device_for(task: str) -> torch.device:
    """The device for a task, which `--use-cpu` may move to the processor."""
    on_cpu = set(getattr(host.current().flags, "use_cpu", None) or ())
    return cpu if on_cpu & {"all", task} else get_optimal_device()


def get_cuda_device_string() -> str:
    """The CUDA device that the flags choose."""
    index = getattr(host.current().flags, "device_id", None)
    return "cuda" if index is None else f"cuda:{index}"


def has_mps() -> bool:
    """True on a Mac whose graphics torch can use."""
    return torch.backends.mps.is_available()


def torch_gc() -> None:
    """Give unused memory of the graphics card back."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def autocast(disable: bool = False) -> Any:
    """Mixed precision where the model runs in half; nothing elsewhere."""
    dtype = _compute().unet
    if disable or dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(get_optimal_device().type, dtype=dtype)


def without_autocast(disable: bool = False) -> Any:
    """No mixed precision inside."""
    if disable or not torch.is_autocast_enabled():
        return contextlib.nullcontext()
    return torch.autocast(get_optimal_device().type, enabled=False)


def test_for_nans(x: torch.Tensor, where: str) -> None:
    """Raise NansException for a tensor without a single number."""
    if torch.isnan(x).all():
        raise NansException(f"a tensor with all NaNs was produced in {where}; try --no-half, or --no-half-vae for the VAE")


def cond_cast_unet(value: torch.Tensor) -> torch.Tensor:
    """A conditioning in the UNet's precision."""
    return value.to(_compute().unet)


def cond_cast_float(value: torch.Tensor) -> torch.Tensor:
    """A conditioning in single precision."""
    return value.float()


def randn(seed: int, shape: Any, generator: Any = None) -> torch.Tensor:
    """Noise of a seed, from the source that the settings choose."""
    from modules.diffusion import rng

    return rng.randn(seed, shape, host.current().opts.randn_source, get_optimal_device())


randn_local = randn
