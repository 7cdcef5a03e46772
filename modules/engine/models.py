"""Which models are in memory: loading, switching, keeping several, and the VAE each of them uses."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules import events
from modules.engine import device as devices
from modules.engine.paths import Paths
from modules.engine.vaes import VaeRegistry

if TYPE_CHECKING:
    from modules.engine.checkpoints import CheckpointInfo, CheckpointRegistry
    from modules.pipeline.memory import MemoryPolicy
    from modules.pipeline.model import DiffusionModel
    from modules.settings.store import Options

log = logging.getLogger(__name__)

IN_A_JOB = 2
"""Models kept while a job runs, whatever the setting: a refiner or a hires checkpoint must not push out the one to go back to."""
COMPANIONS = "CLIP"
Key = tuple[str, float]


class ModelManager:
    """Holds the models in use, the one used last at the end; a changed file counts as another checkpoint.

    `sd_checkpoints_limit` models stay loaded, and `sd_checkpoint_cache` more in the computer's memory. With
    `sd_checkpoints_keep_in_cpu` only the one in use is on the graphics card.
    """

    def __init__(self, flags: Any, paths: Paths, checkpoints: CheckpointRegistry, vaes: VaeRegistry, options: Options) -> None:
        self._flags = flags
        self._paths = paths
        self._checkpoints = checkpoints
        self._vaes = vaes
        self._options = options
        self._announced: Callable[[], DiffusionModel | None] = lambda: None
        self._lock = threading.RLock()
        self._compute: devices.Compute | None = None
        self._models: OrderedDict[Key, DiffusionModel] = OrderedDict()
        self._on_device = True
        """False between unload and reload."""

    @property
    def compute(self) -> devices.Compute:
        """Device and precisions; torch is imported at the first use."""
        if self._compute is None:
            self._compute = devices.choose(self._flags)
            log.info("computing on %s", self._compute.describe())
        return self._compute

    @property
    def loaded(self) -> DiffusionModel | None:
        """The model used last, if any."""
        return next(reversed(self._models.values()), None)

    @property
    def models(self) -> list[DiffusionModel]:
        """All models in memory, the one used last at the end."""
        return list(self._models.values())

    def get(self, info: CheckpointInfo, settings: Any = None) -> DiffusionModel:
        """The model of a checkpoint with the VAE that `settings` (default: the stored ones) choose, loaded now unless it is in memory.

        Other models in memory stay usable. Raises WeightsError when a file cannot be used; all models then stay as they were.
        """
        settings = self._options if settings is None else settings
        with self._lock:
            key = (str(info.filename), _modified(info.filename))
            vae = self._vaes.choose(info, settings)
            model = self._models.get(key)
            if model is None:
                model = self._load(info, settings)
                self._forget_file(key)
            self._with_vae(model, vae)
            self._with_t5(model, settings)
            self._take(key, model)
        self._announce(model)
        return model

    def _announce(self, model: DiffusionModel) -> None:
        """Tell extensions when another checkpoint than the one they heard of last is taken up, also one that was in memory."""
        if self._announced() is not model:
            self._announced = weakref.ref(model)
            events.fire("model_loaded", model)

    def use(self, model: DiffusionModel) -> None:
        """Bring a model that a job went away from back into use."""
        with self._lock:
            key = next((key for key, known in self._models.items() if known is model), None)
            self._take(key or (str(model.checkpoint.path), _modified(model.checkpoint.path)), model)

    def end_job(self, *, failed: bool = False) -> None:
        """Let go of the models that only the last job needed, and of memory that is held without need."""
        with self._lock:
            self._trim(self._limit())
        if failed or (self._compute is not None and self._compute.device.type != "cpu"):
            _release()

    def unload(self) -> None:
        """Take every model off the graphics card; the next job, or `reload`, brings back the one it needs."""
        with self._lock:
            for model in self._models.values():
                model.move("cpu")
            self._on_device = False
            _release()

    def reload(self) -> None:
        """Bring the model used last back onto its device."""
        with self._lock:
            if self.loaded is not None:
                self.use(self.loaded)

    def forget(self) -> None:
        """Drop every model from memory."""
        with self._lock:
            self._models.clear()
            _release()

    def _take(self, key: Key, model: DiffusionModel) -> None:
        """Make `model` the one in use: the last in the row, on its device."""
        if self.loaded is model and self._on_device:
            return
        self._models[key] = model
        self._models.move_to_end(key)
        self._trim(max(self._limit(), IN_A_JOB))
        self._place()

    def _place(self) -> None:
        """Move the models to where the settings want them, those that leave the card first."""
        resident = 1 if self._options.sd_checkpoints_keep_in_cpu else int(self._options.sd_checkpoints_limit)
        models = self.models
        for model in models[:-resident]:
            model.move("cpu")
        for model in models[-resident:]:
            model.move(model.device)
        self._on_device = True

    def _limit(self) -> int:
        return max(1, int(self._options.sd_checkpoints_limit) + int(self._options.sd_checkpoint_cache))

    def _trim(self, count: int) -> None:
        dropped = [self._models.popitem(last=False) for _ in range(len(self._models) - count)]
        if dropped:
            dropped.clear()
            _release()

    def _forget_file(self, key: Key) -> None:
        """Drop what an older state of the same file gave."""
        for old in [known for known in self._models if known[0] == key[0]]:
            del self._models[old]

    def _load(self, info: CheckpointInfo, settings: Any) -> DiffusionModel:
        from modules.pipeline.model import DiffusionModel
        from modules.weights.loader import load_checkpoint

        compute, start = self.compute, time.perf_counter()
        self._checkpoints.ensure_hash(info)
        self._make_room(info)
        checkpoint = load_checkpoint(
            info.filename,
            device="cpu" if self._may_offload else compute.device,
            dtype=compute.unet,
            vae_dtype=compute.vae,
            text_dtype=compute.text,
            yaml=info.config,
            companions=self._paths.models / COMPANIONS,
        )
        model = DiffusionModel(checkpoint, compute.device, name=info.model_name, shorthash=info.shorthash)
        self._place_new(model)
        log.info("loaded %s (%s) in %.1f s", info.title, checkpoint.spec.family, time.perf_counter() - start)
        return model

    @cached_property
    def memory(self) -> MemoryPolicy:
        """What the command line says about memory."""
        from modules.pipeline.memory import MemoryPolicy

        return MemoryPolicy.from_flags(self._flags)

    @cached_property
    def _offloader(self) -> Any:
        """Lets the networks of all models take turns on the device."""
        from modules.nets.offload import Offloader, Place

        return Offloader(Place(self.compute.device))

    @property
    def _may_offload(self) -> bool:
        return self.compute.device.type != "cpu" and (self.memory.offload is not None or self.memory.offload_sdxl)

    def _place_new(self, model: DiffusionModel) -> None:
        """Put a model that was just read on its device, or in the hands of the offloader where the command line wants that."""
        from modules.pipeline.offloading import Offloading

        level = self.memory.offload_level(model)
        if level is not None:
            model.offloading = Offloading(model, self._offloader, level)
        elif self._may_offload:
            model.move(model.device)

    def _make_room(self, info: CheckpointInfo) -> None:
        """Before a load: the card is for the new model alone, and where memory is short too, the oldest models go."""
        import psutil

        if self._options.sd_checkpoints_keep_in_cpu:
            for model in self._models.values():
                model.move("cpu")
            self._on_device = False
        while len(self._models) > 1 and psutil.virtual_memory().available < _size(info.filename):
            self._trim(len(self._models) - 1)

    def _with_vae(self, model: DiffusionModel, path: Path | None) -> None:
        """Give a model the VAE of a file, or its own back. Raises WeightsError; the model then keeps the one it has."""
        wanted = None if path is None else (path, _modified(path))
        if model.vae_source == wanted:
            return
        if path is None:
            model.restore_vae()
            return
        from modules.weights.hashes import sha256_of, short_hash

        model.replace_vae(path, wanted, dtype=self.compute.vae)
        hashing = not getattr(self._flags, "no_hashing", False)
        model.vae_hash = short_hash(sha256_of(path, self._paths.cache)) if hashing else None

    def _with_t5(self, model: DiffusionModel, settings: Any) -> None:
        """Stable Diffusion 3's third encoder, there while the setting asks for it."""
        if model.spec.family != "sd3":
            return
        checkpoint = model.checkpoint
        if not settings.sd3_enable_t5:
            checkpoint.text_t5 = None
        elif checkpoint.text_t5 is None:
            import torch

            from modules.weights.loader import load_t5

            # its states leave the range of float16
            dtype = torch.bfloat16 if self.compute.text == torch.float16 else self.compute.text
            checkpoint.text_t5 = load_t5(checkpoint, device=self.compute.device, dtype=dtype)


def _release() -> None:
    from modules.nets.memory import release

    release()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
