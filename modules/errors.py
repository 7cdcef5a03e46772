"""Telling about errors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger("extension")
_displayed: set[str] = set()


def report(message: str, *, exc_info: bool = False) -> None:
    """Log an error; with `exc_info` also the traceback of the exception being handled."""
    log.error(message, exc_info=exc_info)


def display(e: Exception, task: str, *, full_traceback: bool = False) -> None:
    """Log an exception that a task ended with."""
    log.error("%s: %s", task or "error", e, exc_info=e)


def display_once(e: Exception, task: str) -> None:
    """Like `display`, but once for each task."""
    if task not in _displayed:
        _displayed.add(task)
        display(e, task)


def print_error_explanation(message: str) -> None:
    """Log an explanation in several lines."""
    for line in message.strip().split("\n"):
        log.error(line)


def run(code: Callable[[], Any], task: str) -> None:
    """Call something; what it raises is logged under the task's name."""
    try:
        code()
    except Exception as error:
        display(error, task)
