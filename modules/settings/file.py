"""Reading and writing the settings file."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from .errors import SettingsFileError

log = logging.getLogger(__name__)


def read_settings(path: Path) -> dict[str, Any]:
    """The file's keys and values; {} when it does not exist or is not a JSON object (then it is moved aside)."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsFileError(path, "read", error) from error
    try:
        values = json.loads(raw.decode("utf-8-sig"))
        if not isinstance(values, dict):
            raise ValueError("it is not a JSON object")
        return values
    except (ValueError, RecursionError) as error:
        aside = _move_aside(path)
        log.error("settings file '%s' is broken (%s); it is now '%s', and the defaults are used", path, error, aside)
        return {}


def write_settings(path: Path, values: dict[str, Any]) -> None:
    """Replace the file in one step, so that a crash or a full disk leaves the old one; a link's target is replaced, not the link."""
    target = Path(os.path.realpath(path))
    temporary = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=target.name + ".", suffix=".tmp", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(_encoded(values))
            file.flush()
            os.fsync(file.fileno())
        _keep_mode(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise SettingsFileError(path, "write", error) from error


def _encoded(values: dict[str, Any]) -> bytes:
    try:
        return json.dumps(values, indent=4, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(values, indent=4).encode("ascii")


def _keep_mode(target: Path, temporary: str) -> None:
    if target.exists():
        os.chmod(temporary, target.stat().st_mode & 0o777)
    elif os.name == "posix":
        os.chmod(temporary, 0o644)


def _move_aside(path: Path) -> Path:
    aside = path.parent / "tmp" / path.name
    try:
        aside.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, aside)
    except OSError as error:
        raise SettingsFileError(path, "move aside", error) from error
    return aside
