"""How much memory a device has left, how to give it back, and how running out of it looks."""

from __future__ import annotations

import gc
import os

import torch

SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed", "failed to allocate")
"""What the messages of devices without an error type of their own say (processor, MPS, cuDNN, XPU)."""


def free_memory(device: torch.device | str) -> int | None:
    """Bytes that a new tensor could take on this device, or None where it does not tell.

    On CUDA what torch holds but does not use counts as free.
    """
    device = torch.device(device)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        stats = torch.cuda.memory_stats(device)
        return int(free + stats.get("reserved_bytes.all.current", 0) - stats.get("active_bytes.all.current", 0))
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    if device.type == "cpu" and "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", {}):
        return int(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return None


def release() -> None:
    """Give back memory that nothing uses any more; cheap enough for the end of each job, too slow for each step."""
    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
        torch.cuda.ipc_collect()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on whichever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)
