"""What the page opens with: the prompt and the size that suit the selected checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modules.engine.engine import Engine

FALLBACK_SIZE = (512, 512)
AVATAR_PROMPT = "1girl, pink hair, twin tail, smile"


@dataclass(frozen=True)
class OpeningValues:
    """Values of a fresh form; width and height in pixels."""

    prompt: str = ""
    width: int = FALLBACK_SIZE[0]
    height: int = FALLBACK_SIZE[1]


def selected_checkpoint(engine: Engine) -> Any | None:
    """The checkpoint that the next job uses, or None while there is none."""
    try:
        return engine.checkpoints.get(engine.options.sd_model_checkpoint)
    except LookupError:
        return None


def default_size(checkpoint: Any | None) -> tuple[int, int]:
    """Width and height the checkpoint was made for, 512×512 where it does not say."""
    width, height = getattr(checkpoint, "default_size", None) or FALLBACK_SIZE
    return int(width), int(height)


def opening_values(engine: Engine) -> OpeningValues:
    """The form of a first visit: with the avatar model a prompt that already gives a picture."""
    checkpoint = selected_checkpoint(engine)
    width, height = default_size(checkpoint)
    is_avatar = checkpoint is not None and checkpoint.model_name.lower().startswith("avatar")
    return OpeningValues(AVATAR_PROMPT if is_avatar else "", width, height)
