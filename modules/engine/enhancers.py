"""The upscalers and face restorers of one program: where their files are, and on what they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.enhance.faces import FaceRestorers
from modules.enhance.upscalers import Upscalers
from modules.pipeline.state import Suspended

if TYPE_CHECKING:
    import torch

    from modules.engine.models import ModelManager
    from modules.engine.paths import Paths
    from modules.pipeline.state import JobState
    from modules.settings.store import Options

FLAGGED = ("ESRGAN", "BSRGAN", "RealESRGAN", "DAT", "ScuNET", "SwinIR", "Codeformer", "GFPGAN")
"""Folders that a flag can name: `--esrgan-models-path` and so on."""


class ModelFolders(dict[str, Path]):
    """Folders by A1111's names; one that no flag names lies among the models."""

    def __init__(self, flags: Any, models: Path) -> None:
        super().__init__()
        self._models = models
        for name in FLAGGED:
            given = getattr(flags, f"{name.lower()}_models_path", None)
            if given and Path(given).is_dir():
                self[name] = Path(given)

    def __missing__(self, name: str) -> Path:
        return self._models / name


class Enhancers:
    """Makes the upscalers and face restorers; nothing is loaded before a picture needs it."""

    def __init__(self, flags: Any, paths: Paths, options: Options, models: ModelManager) -> None:
        self._flags, self._models = flags, models
        folders = ModelFolders(flags, paths.models)
        self.upscalers = Upscalers(folders, options, self.place)
        self.face_restorers = FaceRestorers(folders, options, self.place, gfpgan_model=getattr(flags, "gfpgan_model", None))

    def for_job(self, state: JobState) -> dict[str, Any]:
        """The services of a job's runtime: progress goes to its state, and its stop flags are heeded between tiles."""
        return {"upscalers": self.upscalers.watched(watch_of(state)), "face_restorers": self.face_restorers}

    def place(self, task: str) -> tuple[torch.device, torch.dtype]:
        """Device and precision for a task, by its name in `--use-cpu`: half precision on a graphics card unless flags forbid it."""
        import torch

        compute = self._models.compute
        if compute.device.type == "cpu" or task in (getattr(self._flags, "use_cpu", None) or ()):
            return torch.device("cpu"), torch.float32
        return compute.device, torch.float16 if compute.unet == torch.float16 else torch.float32


def watch_of(state: JobState) -> Callable[[int, int], bool]:
    """A watch that shows the tiles done and stops with the job. It raises Suspended when the job is to be left and begun anew."""

    def watch(done: int, total: int) -> bool:
        if state.suspended:
            raise Suspended
        state.textinfo = f"Upscaling: tile {done} of {total}" if total > 1 and done < total else None
        return not (state.interrupted or state.skipped)

    return watch
