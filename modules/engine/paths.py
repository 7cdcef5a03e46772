"""Where things are: the program's own folder and the user's data folder (A1111's layout)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent.parent
"""Root of the checkout; holds `webui.py`, `configs/`, `html/` and the models that ship with the program."""


@dataclass(frozen=True)
class Paths:
    """Folders of one data root; nothing is created until something is written there."""

    data: Path = PROGRAM
    models: Path = PROGRAM / "models"
    checkpoint_folders: tuple[Path, ...] = ()

    @classmethod
    def from_flags(
        cls, data_dir: str | Path | None = None, models_dir: str | Path | None = None, ckpt_dir: str | Path | None = None
    ) -> Paths:
        """Resolve `--data-dir`, `--models-dir` and `--ckpt-dir`; the last is searched before the usual folder."""
        data = Path(data_dir).resolve() if data_dir else PROGRAM
        models = Path(models_dir).resolve() if models_dir else data / "models"
        extra = (Path(ckpt_dir).resolve(),) if ckpt_dir else ()
        return cls(data, models, (*extra, models / "Stable-diffusion"))

    @property
    def checkpoints(self) -> tuple[Path, ...]:
        """Checkpoint folders in the order they are searched."""
        return self.checkpoint_folders or (self.models / "Stable-diffusion",)

    @property
    def bundled_checkpoints(self) -> Path:
        """The folder with the avatar model, used where the user has no checkpoint of their own."""
        return PROGRAM / "models" / "Stable-diffusion"

    @property
    def settings_file(self) -> Path:
        return self.data / "config.json"

    @property
    def cache(self) -> Path:
        return self.data / "cache"

    def output(self, folder: str) -> Path:
        """An output directory from a setting: absolute as it is, relative under the data folder."""
        return self.data / folder
