"""Which device computes, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Compute:
    """Where the networks run: the device and one dtype for each kind of network."""

    device: torch.device
    unet: torch.dtype
    text: torch.dtype
    vae: torch.dtype

    def describe(self) -> str:
        """A short line for the log: `cuda (float16), VAE float16`."""
        name = str(self.unet).removeprefix("torch.")
        return f"{self.device} ({name}), VAE {str(self.vae).removeprefix('torch.')}"


def choose(flags: Any) -> Compute:
    """Pick the device by what the machine has, and dtypes by the flags.

    CUDA and MPS run in float16. A CPU runs in float32; its UNet in bfloat16 where the processor multiplies
    bfloat16 natively (AVX512-BF16 or AMX), since elsewhere bfloat16 is slower than float32.
    `--no-half` and `--precision full` force float32 everywhere, `--no-half-vae` for the VAE.
    """
    import torch

    device = _device(flags)
    full = getattr(flags, "no_half", False) or getattr(flags, "precision", "autocast") == "full"
    if device.type == "cpu":
        fast_bf16 = not full and cpu_multiplies_bfloat16()
        return Compute(device, torch.bfloat16 if fast_bf16 else torch.float32, torch.float32, torch.float32)
    half = torch.float32 if full else torch.float16
    return Compute(device, half, half, torch.float32 if getattr(flags, "no_half_vae", False) else half)


def cpu_multiplies_bfloat16() -> bool:
    """True where the processor has AVX512-BF16 or AMX-BF16 instructions."""
    import torch

    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in names)


def _device(flags: Any) -> torch.device:
    import torch

    on_cpu = set(getattr(flags, "use_cpu", None) or ())
    if on_cpu & {"all", "sd"}:
        return torch.device("cpu")
    if torch.cuda.is_available():
        index = getattr(flags, "device_id", None)
        return torch.device(f"cuda:{index}" if index is not None else "cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
