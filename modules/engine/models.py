"""Which model is in memory, and swapping it for another."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from modules.engine import device as devices

if TYPE_CHECKING:
    from modules.engine.checkpoints import CheckpointInfo, CheckpointRegistry
    from modules.pipeline.model import DiffusionModel

log = logging.getLogger(__name__)


class ModelManager:
    """Holds the model in use; a different checkpoint, or a changed file, replaces it."""

    def __init__(self, flags: Any, checkpoints: CheckpointRegistry) -> None:
        self._flags = flags
        self._checkpoints = checkpoints
        self._lock = threading.Lock()
        self._compute: devices.Compute | None = None
        self._model: DiffusionModel | None = None
        self._key: tuple[str, float] | None = None

    @property
    def compute(self) -> devices.Compute:
        """Device and precisions; torch is imported at the first use."""
        if self._compute is None:
            self._compute = devices.choose(self._flags)
            log.info("computing on %s", self._compute.describe())
        return self._compute

    @property
    def loaded(self) -> DiffusionModel | None:
        """The model in memory, if any."""
        return self._model

    def get(self, info: CheckpointInfo) -> DiffusionModel:
        """The model of a checkpoint, loaded now unless it is the one in memory.

        Raises WeightsError when the file cannot be used; the model in memory then stays as it was.
        """
        with self._lock:
            key = (str(info.filename), _modified(info))
            if self._model is None or self._key != key:
                self._model, self._key = self._load(info), key
            return self._model

    def _load(self, info: CheckpointInfo) -> DiffusionModel:
        from modules.pipeline.model import DiffusionModel
        from modules.weights.loader import load_checkpoint

        compute, start = self.compute, time.perf_counter()
        self._checkpoints.ensure_hash(info)
        checkpoint = load_checkpoint(
            info.filename, device=compute.device, dtype=compute.unet, vae_dtype=compute.vae, text_dtype=compute.text, yaml=info.config
        )
        model = DiffusionModel(checkpoint, compute.device, name=info.model_name, shorthash=info.shorthash)
        log.info("loaded %s (%s) in %.1f s", info.title, checkpoint.spec.family, time.perf_counter() - start)
        return model


def _modified(info: CheckpointInfo) -> float:
    try:
        return info.filename.stat().st_mtime
    except OSError:
        return 0.0
