"""The errors a prompt can raise."""

from __future__ import annotations


class PromptError(ValueError):
    """A prompt that cannot be carried out; `piece` is the part at fault, the message names it and the cure."""

    def __init__(self, message: str, piece: str = "") -> None:
        super().__init__(message)
        self.piece = piece
