"""Checkpoints and the model in use (platform.md §4.14). Misspelt names are A1111's."""

from __future__ import annotations

import os
from typing import Any

from modules.engine.checkpoints import CheckpointInfo as CheckpointInfo
from modules.extend import host
from modules.weights import hashes

model_dir = "Stable-diffusion"


def _registry() -> Any:
    return host.current().engine.checkpoints


def _aliases() -> dict[str, CheckpointInfo]:
    return {alias: info for info in _registry().list() for alias in info.aliases()}


def __getattr__(name: str) -> Any:
    if name == "checkpoints_list":
        return {info.title: info for info in _registry().list()}
    if name in ("checkpoint_aliases", "checkpoint_alisases"):
        return _aliases()
    if name == "model_path":
        return os.path.join(str(host.current().engine.paths.models), model_dir)
    if name == "model_data":
        return _ModelData()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _ModelData:
    """The model in use."""

    @property
    def sd_model(self) -> Any:
        return host.current().engine.models.loaded

    def get_sd_model(self) -> Any:
        """The model in use, loaded if need be."""
        return host.current().model()


def list_models() -> None:
    """Read the checkpoint folders again."""
    _registry().refresh()


def checkpoint_tiles(use_short: bool = False) -> list[str]:
    """Titles of the checkpoints."""
    return [info.short_title if use_short else info.title for info in _registry().list()]


def get_closet_checkpoint_match(search_string: str) -> CheckpointInfo | None:
    """The checkpoint that a name, a hash or a part of a title means; None for none."""
    found: CheckpointInfo | None = _registry().find(search_string)
    return found


def select_checkpoint() -> CheckpointInfo:
    """The checkpoint the settings select."""
    selected: CheckpointInfo = _registry().get(host.current().opts.sd_model_checkpoint)
    return selected


def model_hash(filename: str) -> str:
    """The old short hash of a checkpoint file."""
    return hashes.old_hash(filename)
