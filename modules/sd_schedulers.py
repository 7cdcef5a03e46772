"""Noise schedules by name (platform.md §4.14)."""

from __future__ import annotations

from modules.diffusion.schedulers import SCHEDULERS
from modules.diffusion.schedulers import Scheduler as Scheduler

schedulers: list[Scheduler] = list(SCHEDULERS)
schedulers_map: dict[str, Scheduler] = {
    **{scheduler.name: scheduler for scheduler in schedulers},
    **{scheduler.label: scheduler for scheduler in schedulers},
}
