"""VAE files by name (platform.md §4.14)."""

from __future__ import annotations

from typing import Any

from modules.extend import host


def __getattr__(name: str) -> Any:
    if name == "vae_dict":
        return {name: str(path) for name, path in host.current().engine.vaes.files.items()}
    if name == "vae_path":
        return str(host.current().engine.paths.models / "VAE")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def refresh_vae_list() -> None:
    """The folders are read whenever the list is asked for."""
