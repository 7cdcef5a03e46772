"""Training paced by the clock: a learning rate that knows the minutes spent, and an exponential moving average of the weights."""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn


class Clock(pl.Callback):
    """Counts training minutes over all resumed runs, sets the learning rate from them."""

    def __init__(
        self, minutes: float, lr: float, warmup_steps: int = 100, final: float = 0.02, decay_from: float = 0.0
    ) -> None:
        self.minutes, self.lr, self.warmup_steps, self.final, self.decay_from = (
            minutes,
            lr,
            warmup_steps,
            final,
            decay_from,
        )
        self.spent = 0.0
        self._last = time.monotonic()

    def rate(self, step: int) -> float:
        """Learning rate: linear warm-up by steps, then flat, then a half cosine by minutes down to `final` of the peak."""
        part = max(0.0, min(1.0, self.spent / self.minutes) - self.decay_from) / (1.0 - self.decay_from)
        decay = self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * part))
        return self.lr * decay * min(1.0, (step + 1) / self.warmup_steps)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._last = time.monotonic()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        self.spent += (now - self._last) / 60
        self._last = now
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate(trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        return {"spent": self.spent}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.spent = state_dict["spent"]


class Average(pl.Callback):
    """Keeps `module.ema`, a moving average of the weights of `module.net`; young averages follow faster."""

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        decay = min(self.decay, (1 + trainer.global_step) / (10 + trainer.global_step))
        net, ema = pl_module.net, pl_module.ema
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), list(net.parameters()), 1 - decay)


def rank() -> int:
    """This worker's number among those that train together."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def workers() -> int:
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def wait() -> None:
    """Returns when every worker has come here."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def frozen_copy(net: nn.Module) -> nn.Module:
    """A copy without gradients, to hold averaged weights."""
    return copy.deepcopy(net).eval().requires_grad_(False)


class Together(pl.Callback):
    """Averages the workers' weights every `every` steps (local SGD, Stich 2019) and stops all of them when the clock says so.

    Workers on a busy machine wait for each other far less than if they shared every gradient.
    """

    def __init__(self, clock: Clock, every: int = 12) -> None:
        self.clock, self.every = clock, every

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % self.every:
            return
        if torch.distributed.is_initialized():
            self._average([p for p in pl_module.net.parameters() if p.requires_grad])
        if self.clock.spent >= self.clock.minutes:
            trainer.should_stop = True

    def _average(self, parameters: list[nn.Parameter]) -> None:
        with torch.no_grad():
            flat = torch.cat([p.flatten() for p in parameters])
            torch.distributed.all_reduce(flat)
            flat /= torch.distributed.get_world_size()
            for parameter, piece in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
                parameter.copy_(piece.view_as(parameter))
            spent = torch.tensor([self.clock.spent], dtype=torch.float64)
            torch.distributed.broadcast(spent, 0)
            self.clock.spent = float(spent)


class Journal(pl.Callback):
    """Prints step, mean loss, rate and speed every `every` steps, and writes `last.ckpt` every `save_minutes`."""

    def __init__(self, checkpoint: Path, every: int = 50, save_minutes: float = 2.0) -> None:
        self.checkpoint, self.every, self.save_minutes = checkpoint, every, save_minutes
        self._loss, self._count, self._samples = 0.0, 0, 0
        self._start = self._saved = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._loss += float(outputs["loss"])
        self._count += 1
        self._samples += len(batch[0])
        now = time.monotonic()
        if self._count >= self.every and rank() == 0:
            lr = trainer.optimizers[0].param_groups[0]["lr"]
            speed = self._samples * workers() / (now - self._start)
            print(
                f"step {trainer.global_step} loss {self._loss / self._count:.4f} lr {lr:.2e} {speed:.1f}/s {pl_module.report()}",
                flush=True,
            )
            self._loss, self._count, self._samples, self._start = 0.0, 0, 0, now
        if now - self._saved > self.save_minutes * 60 and rank() == 0:
            save(trainer, self.checkpoint)
            self._saved = time.monotonic()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        save(trainer, self.checkpoint)


def save(trainer: pl.Trainer, path: Path) -> None:
    """Writes a checkpoint that a reader never sees half done."""
    if rank() == 0:
        draft = path.with_suffix(".draft")
        trainer.save_checkpoint(draft)
        draft.replace(path)
