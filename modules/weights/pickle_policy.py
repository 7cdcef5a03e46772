"""Whether pickled weight files may be read at all: the program's decision, taken from its stored settings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, cast

from modules.weights.errors import PickleFile

Choice = Literal["never", "small files", "all"]
LARGE = frozenset(("checkpoint", "VAE", "text encoder", "file"))
"""Kinds that "small files" leaves out; the others are embeddings, hypernetworks, LoRAs and upscalers."""

SETTING = "Read pickled weight files"

_choice: Callable[[], str] = lambda: "never"  # noqa: E731


def follow(choice: Callable[[], str]) -> None:
    """Ask this function from now on; the engine passes one that reads the stored setting, which no request can override."""
    global _choice
    _choice = choice


@contextlib.contextmanager
def deciding(choice: Choice) -> Iterator[None]:
    """Another decision inside a `with` block."""
    before = _choice
    follow(lambda: choice)
    try:
        yield
    finally:
        follow(before)


def allows(kind: str) -> bool:
    """Whether pickles of this kind ("checkpoint", "embedding", …) are read."""
    choice = cast(Choice, _choice())
    return choice == "all" or (choice == "small files" and kind not in LARGE)


def check(path: Path, kind: str, *, consent: bool = False) -> None:
    """Raise PickleFile, which names the setting and the command, if pickles of this kind are not read and nobody asked for it."""
    if path.suffix.lower() == ".safetensors":
        raise PickleFile(path, "is a pickle under a safetensors name; do not trust it, or rename it to .ckpt", kind=kind)
    if not consent and not allows(kind):
        problem = (
            "is a pickle, a format that can carry programs, and reading those is off (Easel would run none of it): "
            f"convert it with './webui.sh convert {path.name}', or switch on '{SETTING}' (read_pickles) in the settings"
        )
        raise PickleFile(path, problem, kind=kind)
