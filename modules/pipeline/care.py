"""How a job's networks are run: the attention of its settings, and what is done when one of them fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch

from modules.nets.attention_methods import attention_by
from modules.nets.casting import upcast_norms
from modules.pipeline.optimizations import patched
from modules.pipeline.recovery import INFOTEXT, Recovery, Taken, recovering

if TYPE_CHECKING:
    from modules.pipeline.run import Run


@contextmanager
def careful(run: Run) -> Iterator[None]:
    """While it is open, the job's networks run as its settings and the command line want, and failing stages are recovered."""
    policy, settings = run.runtime.memory, run.settings

    def report(taken: Taken) -> None:
        run.p.comment(taken.sentence)
        run.keep({INFOTEXT: run.recovery.infotext})
        run.runtime.report("recovery", {"stage": taken.stage, "failure": taken.failure, "cure": taken.label})

    run.recovery = Recovery(
        nan_check=policy.nan_check,
        vae_bfloat16=bool(settings.auto_vae_precision_bfloat16),
        vae_float32=bool(settings.auto_vae_precision),
        report=report,
    )
    with ExitStack() as stack:
        stack.enter_context(attention_by(policy.attention_for(settings)))
        if policy.upcast_sampling and run.model.unet_dtype != torch.float32:
            stack.enter_context(upcast_norms())
        stack.enter_context(patched(run, lambda model: [model.tiling(run.tiling)]))
        stack.enter_context(recovering(run.recovery))
        yield
