"""Bytes to files: whole or not at all, and never over another file unless asked."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

NAME_BYTES = 255
TRIES = 500


class SaveError(OSError):
    """A picture could not be written; the message says where and why, and the picture itself is not lost: the caller still holds it."""

    def __init__(self, path: Path, cause: BaseException | str) -> None:
        self.path = path
        super().__init__(f"could not save '{path}': {_reason(cause)}")


def _reason(cause: BaseException | str) -> str:
    if isinstance(cause, str):
        return cause
    number = cause.errno if isinstance(cause, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space and save it again"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "this folder may not be written to; choose another in Settings, Paths for saving"
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)


def replace_file(path: Path, content: bytes) -> None:
    """Write the file in one step; an existing one is replaced, and kept when the writing fails. Raises SaveError."""
    temporary = _written_beside(path, content)
    try:
        os.replace(temporary, path)
    except OSError as error:
        _forget(temporary)
        raise SaveError(path, error) from error


def create_file(path: Path, content: bytes) -> bool:
    """Write a file that does not exist yet; False if it does. Raises SaveError."""
    if path.exists():
        return False
    temporary = _written_beside(path, content)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        _forget(temporary)
        return False
    except OSError as error:
        _forget(temporary)
        raise SaveError(path, error) from error
    try:
        os.replace(temporary, path)
    except OSError as error:
        _forget(temporary)
        _forget(str(path))
        raise SaveError(path, error) from error
    return True


def shortened(stem: str, extension: str, ending: str = "") -> str:
    """`stem + ending` cut to what a file system takes as a name, in bytes and between characters; the ending stays whole."""
    room = NAME_BYTES - len((ending + extension).encode()) - 1
    cut = stem.encode("utf-8", "replace")[: max(room, 1)].decode("utf-8", "ignore")
    return (cut.rstrip(" .") if len(cut) < len(stem) else cut) + ending


def make_folder(path: Path) -> None:
    """Create a folder and those above it. Raises SaveError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise SaveError(path, error) from error


def _written_beside(path: Path, content: bytes) -> str:
    """A temporary file with the content in the same folder, with the rights a new file gets."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o666 & ~_umask())
    except (OSError, ValueError) as error:
        _forget(temporary)
        raise SaveError(path, error) from error
    return temporary


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _forget(path: str) -> None:
    if path and os.path.exists(path):
        os.unlink(path)
