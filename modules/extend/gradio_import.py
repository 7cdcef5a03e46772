"""Importing Gradio: offline, with its temporary files where the user's are, and without the work nobody needs."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_import_lock = threading.Lock()


def import_gradio(cache: Path) -> Any:
    """The gradio package; its reporting is off and uploads and results go under `cache`."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("GRADIO_TEMP_DIR", str(cache / "gradio"))
    with _import_lock, _without_stub_files():
        import gradio
        import gradio.component_meta

        # Nor beside the files of classes that come later, ours and those of extensions.
        gradio.component_meta.create_or_modify_pyi = lambda *args, **kwargs: None  # type: ignore[assignment]
    return gradio


@contextmanager
def _without_stub_files() -> Iterator[None]:
    """Keep Gradio from rewriting its editor stubs on every import, which is half of the import's time.

    It gives up on a class whose file `inspect.getfile` cannot tell.
    """
    original = inspect.getfile

    def getfile(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError("no stub files")
        return original(thing)

    inspect.getfile = getfile  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = original
