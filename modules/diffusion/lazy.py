"""Callables named by text, so that the tables of samplers and schedules can be read without importing torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

K_DIFFUSION = "k_diffusion"


def load_callable(reference: str | Callable[..., Any]) -> Callable[..., Any]:
    """Returns `reference` itself, or what its text `module:name` names; `k_diffusion:name` is k-diffusion's `sampling.name`.

    Raises: ImportError, AttributeError when the reference is wrong.
    """
    if callable(reference):
        return reference
    module_name, _, name = reference.partition(":")
    if module_name == K_DIFFUSION:
        from modules.diffusion.kdiffusion import sampling

        return getattr(sampling(), name)
    return getattr(importlib.import_module(module_name), name)
