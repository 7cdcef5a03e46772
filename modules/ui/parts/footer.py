"""The line at the bottom of the page."""

from __future__ import annotations

import html
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import gradio as gr


def footer(flags: Any) -> gr.HTML:
    """What runs here, and a link to the API's description where the API is served."""
    parts = [f"python {platform.python_version()}", *(_version(name) for name in ("torch", "gradio"))]
    links = ['<a href="./docs">API</a>'] if getattr(flags, "api", False) else []
    text = " &nbsp;·&nbsp; ".join([*links, "Easel", *(html.escape(part) for part in parts if part)])
    return gr.HTML(f"<div class='versions'>{text}</div>", elem_id="footer")


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""
