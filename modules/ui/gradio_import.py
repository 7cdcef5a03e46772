"""The page's import of Gradio, which it shares with the scripts' controls."""

from __future__ import annotations

from modules.extend.gradio_import import import_gradio

__all__ = ["import_gradio"]
