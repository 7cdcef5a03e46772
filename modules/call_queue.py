"""Waiting for one's turn (platform.md §4.12)."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from modules import errors

queue_lock = threading.RLock()
"""Held by extensions while they use the model on their own."""


def wrap_queued_call(func: Callable[..., Any]) -> Callable[..., Any]:
    """The function, one caller at a time."""

    @wraps(func)
    def queued(*args: Any, **kwargs: Any) -> Any:
        with queue_lock:
            return func(*args, **kwargs)

    return queued


def wrap_gradio_gpu_call(func: Callable[..., Any], extra_outputs: list[Any] | None = None) -> Callable[..., Any]:
    """A page's handler that works on the graphics card: one at a time, its errors shown as its last output."""
    return wrap_gradio_call(wrap_queued_call(func), extra_outputs, add_stats=True)


def wrap_gradio_call(func: Callable[..., Any], extra_outputs: list[Any] | None = None, add_stats: bool = False) -> Callable[..., Any]:
    """A page's handler whose errors become its last output; with `add_stats` the time it took is said there too."""

    @wraps(func)
    def handler(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
        start = time.perf_counter()
        try:
            results = list(func(*args, **kwargs))
        except Exception as error:
            errors.display(error, getattr(func, "__name__", ""))
            told = f"<div class='error'>{html.escape(f'{type(error).__name__}: {error}')}</div>"
            return (*(extra_outputs if extra_outputs is not None else [None, ""]), told)
        if add_stats and results and isinstance(results[-1], str | None):
            results[-1] = f"{results[-1] or ''}<div class='performance'><p class='time'>{time.perf_counter() - start:.1f} sec.</p></div>"
        return tuple(results)

    return handler


wrap_gradio_call_no_job = wrap_gradio_call
