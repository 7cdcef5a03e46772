"""What a run needs from the engine around it, passed in so that the pipeline imports nothing above itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from modules.pipeline.state import JobState

if TYPE_CHECKING:
    from modules.pipeline.model import DiffusionModel
    from modules.settings.store import Options


@dataclass
class Runtime:
    """Services of one job: its progress, the settings, the models, and where files go."""

    options: Options
    load_model: Callable[[str | None], DiffusionModel]
    """The model of the checkpoint with this name (None: the first there is); raises when it cannot be used."""
    knows_checkpoint: Callable[[str], bool]
    data_dir: Path
    state: JobState = field(default_factory=JobState)
    prompt_history: bool = True
    filename_length: int = 128
    unix_filenames: bool = False
    styles_files: list[str] = field(default_factory=list)
    """`--styles-file`, possibly with wildcards; empty: `styles.csv` of the data folder."""
