"""What a run asks of the journal that keeps its answers, so that it can go on after a crash (the engine has one)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Recording(Protocol):
    """Answers kept under keys that are the same whenever the same job runs."""

    def begin_run(self) -> int:
        """Count one more run of the pipeline within the job; its number from 0."""

    def evaluation(self, key: str, compute: Callable[[], Tensor], device: torch.device | None = None) -> Tensor:
        """The denoising network's answer kept under `key`, moved to `device`, else what `compute` returns."""

    def recall(self, key: str, compute: Callable[[], Tensor], device: torch.device | None = None) -> Tensor:
        """Any other tensor kept under `key`, else what `compute` returns."""

    def note(self, key: str, value: Any) -> None:
        """Keep a small value that JSON can hold."""

    def noted(self, key: str) -> Any:
        """The value noted under `key`, None if there is none."""


class NoRecording:
    """Keeps nothing."""

    def __init__(self) -> None:
        self.runs = 0

    def begin_run(self) -> int:
        self.runs += 1
        return self.runs - 1

    def evaluation(self, key: str, compute: Callable[[], Tensor], device: torch.device | None = None) -> Tensor:
        return compute()

    def recall(self, key: str, compute: Callable[[], Tensor], device: torch.device | None = None) -> Tensor:
        return compute()

    def note(self, key: str, value: Any) -> None:
        pass

    def noted(self, key: str) -> Any:
        return None
