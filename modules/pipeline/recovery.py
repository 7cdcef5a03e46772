"""Stages that go wrong are done again in another way, from what there is: a ladder of cures for each stage and failure.

A stage is one call of a network: the text encoders, the denoising network at one step, the VAE. It fails by running out of
memory or by giving NaN. What was tried is said in the picture's infotext (`Recovery`) and in the job's comments; a cure
stays in force to the job's end, so that not every step fails first.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from modules.nets.attention_methods import attention_by, current
from modules.nets.casting import computing_in
from modules.nets.memory import is_out_of_memory, release
from modules.nets.offload import Offloader, Place
from modules.nets.vae_tiles import TILE
from modules.pipeline.failures import Failure, NotANumber, OutOfMemory, Stage, StageFailed
from modules.pipeline.offloading import Offloading

if TYPE_CHECKING:
    from modules.pipeline.model import DiffusionModel

log = logging.getLogger(__name__)
_T = TypeVar("_T")

INFOTEXT = "Recovery"
SMALLEST_TILE = 128


@dataclass(frozen=True)
class Cure:
    """One rung: `label` for the infotext, what it helps against, whether it can be taken now, and how it is.

    `apply` may put what has to be undone at the job's end on the stack.
    """

    label: str
    against: Failure
    stages: tuple[Stage, ...]
    possible: Callable[[Recovery, DiffusionModel], bool]
    apply: Callable[[Recovery, DiffusionModel], None]


@dataclass(frozen=True)
class Taken:
    """A cure that was taken."""

    stage: Stage
    failure: Failure
    label: str

    @property
    def sentence(self) -> str:
        what = "ran out of memory" if self.failure == "memory" else "gave NaN"
        return f"the {self.stage.removesuffix(' decode').removesuffix(' encode')} {what} and was run again: {self.label}"


class Recovery:
    """What one job has done about failures. `report` hears of every cure taken."""

    def __init__(
        self,
        *,
        nan_check: bool = True,
        vae_bfloat16: bool = False,
        vae_float32: bool = True,
        report: Callable[[Taken], None] = lambda _: None,
    ) -> None:
        self.nan_check, self.vae_bfloat16, self.vae_float32 = nan_check, vae_bfloat16, vae_float32
        self.rows_at_once: int | None = None
        """How many rows the denoising network gets in one call; None: as the settings say."""
        self.tile: int | None = None
        """Side of the tiles in which the VAE works, in pixels; None: the picture as a whole."""
        self.taken: list[Taken] = []
        self._report = report
        self._tried: set[tuple[Stage, str, int]] = set()
        self._undo = ExitStack()

    @property
    def infotext(self) -> str | None:
        """The cures taken, for the picture's metadata."""
        return " / ".join(dict.fromkeys(f"{cure.stage} {cure.label}" for cure in self.taken)) or None

    def run(self, stage: Stage, model: DiffusionModel, compute: Callable[[], _T]) -> _T:
        """What `compute` returns, which is called again after each cure until it succeeds.

        Raises OutOfMemory or NotANumber when there is no cure left, and whatever else `compute` raises.
        """
        while True:
            failure: Failure = "nan"
            message = ""
            try:
                result = compute()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failure, message = "memory", str(error)
            else:
                if not self.nan_check or is_finite(result):
                    return result
                del result
            self._climb(stage, model, failure, message)

    def close(self) -> None:
        """Put back what the cures changed, and give memory back."""
        self._undo.close()

    def enter(self, context: Any) -> None:
        """Keep a context open to the job's end."""
        self._undo.enter_context(context)

    def _climb(self, stage: Stage, model: DiffusionModel, failure: Failure, message: str) -> None:
        """Take the next cure. Raises the stage's error when there is none."""
        release()
        for cure in CURES:
            key = (stage, cure.label, id(model))
            if cure.against != failure or stage not in cure.stages or key in self._tried or not cure.possible(self, model):
                continue
            self._tried.add(key)
            cure.apply(self, model)
            taken = Taken(stage, failure, cure.label)
            self.taken.append(taken)
            log.warning("%s", taken.sentence)
            self._report(taken)
            return
        raise _error(stage, model, failure, message)


def is_finite(result: Any) -> bool:
    """Whether no value of a tensor is NaN or infinite; all of it is looked at. Anything but tensors counts as finite."""
    return not isinstance(result, Tensor) or math.isfinite(result.sum(dtype=torch.float32).item()) or bool(torch.isfinite(result).all())


_current: ContextVar[Recovery | None] = ContextVar("recovery", default=None)


def in_force() -> Recovery:
    """The running job's recovery; outside of jobs a new one that reports to nobody."""
    return _current.get() or Recovery()


@contextmanager
def recovering(recovery: Recovery) -> Iterator[Recovery]:
    """While it is open, the stages run by this thread are cured by this recovery; memory is given back at its end."""
    token = _current.set(recovery)
    try:
        yield recovery
    finally:
        _current.reset(token)
        recovery.close()


def _error(stage: Stage, model: DiffusionModel, failure: Failure, message: str) -> StageFailed:
    if failure == "memory":
        first = message.splitlines()[0] if message else "no more is known"
        cure = "make the picture or the batch smaller, or start with --medvram or --lowvram"
        return OutOfMemory(stage, f"not enough memory for the {stage}, whatever was tried ({first}); {cure}")
    if stage in ("VAE decode", "VAE encode"):
        cure = "choose another VAE" if model.vae_dtype == torch.float32 else "switch on 'Automatically revert VAE to 32-bit floats'"
        return NotANumber(stage, f"the VAE of '{model.name}' gives NaN in {_name(model.vae_dtype)}, a black picture; {cure}")
    what = "checkpoint is damaged, or a network in the prompt or a setting is at fault"
    return NotANumber(stage, f"the {stage} of '{model.name}' gives NaN also in float32: the {what}")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _vae_in(dtype: torch.dtype) -> Callable[[Recovery, DiffusionModel], None]:
    @torch.inference_mode(False)
    def apply(_: Recovery, model: DiffusionModel) -> None:
        # A1111: a VAE once converted stays so for later jobs
        model.checkpoint.vae.to(dtype)

    return apply


def _smaller_tiles(recovery: Recovery, _: DiffusionModel) -> None:
    recovery.tile = TILE if recovery.tile is None else max(SMALLEST_TILE, recovery.tile // 2)


def _upcast_attention(recovery: Recovery, _: DiffusionModel) -> None:
    recovery.enter(attention_by(replace(current(), upcast=True)))


def _sliced_attention(recovery: Recovery, _: DiffusionModel) -> None:
    recovery.enter(attention_by(replace(current(), method="sub-quadratic", query_chunk=512, chunk_threshold=None)))


def _split_batch(recovery: Recovery, _: DiffusionModel) -> None:
    recovery.rows_at_once = 1


def _in_float32(recovery: Recovery, model: DiffusionModel) -> None:
    recovery.enter(computing_in(model.checkpoint.unet, torch.float32))


def _is_half(model: DiffusionModel) -> bool:
    return model.unet_dtype != torch.float32


def _take_turns(_: Recovery, model: DiffusionModel) -> None:
    """Stays in force for later jobs, which would fail alike."""
    model.offloading = Offloading(model, Offloader(Place(model.device)), "networks")


def _block_by_block(_: Recovery, model: DiffusionModel) -> None:
    offloader = model.offloading.offloader if model.offloading is not None else Offloader(Place(model.device))
    model.offloading = Offloading(model, offloader, "blocks")


VAE_STAGES: tuple[Stage, ...] = ("VAE decode", "VAE encode")
CURES: tuple[Cure, ...] = (
    Cure("batch split", "memory", ("UNet",), lambda r, _: r.rows_at_once is None, _split_batch),
    Cure("attention in slices", "memory", ("UNet",), lambda *_: current().method != "sub-quadratic", _sliced_attention),
    Cure("in tiles", "memory", VAE_STAGES, lambda r, _: r.tile is None, _smaller_tiles),
    Cure("in smaller tiles", "memory", VAE_STAGES, lambda r, _: r.tile is not None and r.tile > SMALLEST_TILE, _smaller_tiles),
    Cure(
        "other networks moved to main memory",
        "memory",
        ("text encoder", "UNet", *VAE_STAGES),
        lambda _, model: model.offloading is None and model.device.type != "cpu",
        _take_turns,
    ),
    Cure(
        "block by block",
        "memory",
        ("UNet",),
        lambda _, model: model.offloading is not None and model.offloading.level == "networks",
        _block_by_block,
    ),
    Cure("in smallest tiles", "memory", VAE_STAGES, lambda r, _: r.tile is not None and r.tile > SMALLEST_TILE, _smaller_tiles),
    Cure("attention in float32", "nan", ("UNet",), lambda _, model: _is_half(model) and not current().upcast, _upcast_attention),
    Cure("in float32", "nan", ("UNet",), lambda _, model: _is_half(model), _in_float32),
    Cure("in bfloat16", "nan", VAE_STAGES, lambda r, model: r.vae_bfloat16 and model.vae_dtype == torch.float16, _vae_in(torch.bfloat16)),
    Cure("in float32", "nan", VAE_STAGES, lambda r, model: r.vae_float32 and model.vae_dtype != torch.float32, _vae_in(torch.float32)),
)
"""The ladder, in the order in which cures are tried."""
