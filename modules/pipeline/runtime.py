"""What a run needs from the engine around it, passed in so that the pipeline imports nothing above itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.pipeline.memory import MemoryPolicy
from modules.pipeline.recording import NoRecording, Recording
from modules.pipeline.state import JobState

if TYPE_CHECKING:
    from modules.pipeline.approximations import Approximations
    from modules.pipeline.model import DiffusionModel
    from modules.settings.store import Options


@dataclass
class Runtime:
    """Services of one job: its progress, the settings, the models, and where files go."""

    options: Options
    load_model: Callable[..., DiffusionModel]
    """(name, settings) -> the model of that checkpoint (None: the first there is) with the VAE its settings choose; raises when it
    cannot be used."""
    knows_checkpoint: Callable[[str], bool]
    data_dir: Path
    use_model: Callable[[DiffusionModel], None] = lambda model: None
    """Brings a model that was loaded before back onto its device."""
    checkpoint_title: Callable[[str], str] = str
    """Name and short hash, `name [hash]`, of the checkpoint that this name means."""
    state: JobState = field(default_factory=JobState)
    prompt_history: bool = True
    filename_length: int = 128
    unix_filenames: bool = False
    styles_files: list[str] = field(default_factory=list)
    """`--styles-file`, possibly with wildcards; empty: `styles.csv` of the data folder."""
    last_seed: int | None = None
    """The last seed that a request of this job drew noise with."""
    networks: Any = None
    """LoRA, textual inversions and hypernetworks: `activate(model, wanted, settings)` and `deactivate()`; None: prompts go without."""
    upscalers: Any = None
    """Picture upscalers: `names()` and `upscale(image, scale, name, settings)`."""
    face_restorers: Any = None
    """Face restorers: `restore(image, name, settings)`."""
    memory: MemoryPolicy = field(default_factory=MemoryPolicy)
    """What the command line says about memory and precision."""
    approximations: Approximations | None = None
    """TAESD and the decoders of previews."""
    journal: Recording = field(default_factory=NoRecording)
    """Keeps what the networks answer, so that the job can go on after a crash."""
    report: Callable[[str, dict[str, Any]], None] = lambda name, data: None
    """Tells whoever follows the job that something happened: a name and what JSON can hold."""

    def upscaler_names(self) -> list[str]:
        """The upscalers of pictures there are."""
        return list(self.upscalers.names()) if self.upscalers is not None else ["None"]

    @contextmanager
    def active(self) -> Iterator[None]:
        """While it is open, `current()` gives this runtime to scripts that start jobs within the job."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Runtime | None] = ContextVar("runtime", default=None)


def is_active() -> bool:
    """True inside of a job: in the thread that runs it."""
    return _current.get() is not None


def current() -> Runtime:
    """The runtime of the job that runs in this thread; raises RuntimeError outside of jobs."""
    runtime = _current.get()
    if runtime is None:
        raise RuntimeError("there is no running job here; hand the request to the engine")
    return runtime
