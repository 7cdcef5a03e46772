"""What the page opens with: the prompt and the size that suit the selected checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modules.engine.engine import Engine

AVATAR_PROMPT = "1girl, pink hair, long hair, twin tail, blue eyes, smile, red kimono, white background"


@dataclass(frozen=True)
class OpeningValues:
    """Values of a fresh form; width and height in pixels."""

    prompt: str
    width: int
    height: int


def selected_checkpoint(engine: Engine) -> Any | None:
    """The checkpoint that the next job uses, or None while there is none."""
    try:
        return engine.checkpoints.get(engine.options.sd_model_checkpoint)
    except LookupError:
        return None


def opening_values(engine: Engine) -> OpeningValues:
    """The form of a first visit: with the avatar model a prompt that already gives a picture."""
    checkpoint = selected_checkpoint(engine)
    width, height = engine.default_size()
    is_avatar = checkpoint is not None and checkpoint.model_name.lower().startswith("avatar")
    return OpeningValues(AVATAR_PROMPT if is_avatar else "", width, height)
