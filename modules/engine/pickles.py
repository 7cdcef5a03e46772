"""Puts the program's decision about pickled weight files in force."""

from __future__ import annotations

import logging
from typing import Any

from modules.settings.store import Options
from modules.weights import pickle_policy

log = logging.getLogger(__name__)


def follow_settings(options: Options, flags: Any) -> None:
    """Read pickles as the stored setting `read_pickles` says, now and whenever it changes; a flag cannot widen it."""
    pickle_policy.follow(lambda: str(options.read_pickles))
    if getattr(flags, "disable_safe_unpickle", False):
        log.warning("--disable-safe-unpickle has no effect: files are never run as code; the setting read_pickles decides what is read")
