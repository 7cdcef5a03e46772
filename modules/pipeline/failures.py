"""Failures of a job's networks that could not be recovered; importing this does not import torch."""

from __future__ import annotations

from typing import Literal

Stage = Literal["text encoder", "UNet", "VAE decode", "VAE encode"]
"""One call of a network."""
Failure = Literal["memory", "nan"]


class StageFailed(RuntimeError):
    """A stage failed for good; `.stage` names it and the message says what could help."""

    def __init__(self, stage: Stage, message: str) -> None:
        super().__init__(message)
        self.stage = stage


class OutOfMemory(StageFailed):
    """Nothing that was tried made a stage fit into memory."""


class NotANumber(StageFailed):
    """A network gives NaN in every precision that was allowed."""
