"""Which running program owns a job.

Several programs may share a data folder: a server, a command beside it. Each holds a lock on a file of its own for as long as it
lives; the system lets go of it however the program ends. That survives reused process ids and clocks that jump.
"""

from __future__ import annotations

import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO


class Session:
    """This program's lock; `id` is what its jobs carry."""

    def __init__(self, folder: Path) -> None:
        self.id = uuid.uuid4().hex
        self._folder = folder
        self._file: IO[bytes] | None = None

    def open(self) -> None:
        """Take the lock. Raises OSError where the folder cannot be written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._path(self.id).open("wb")
        _lock(file)
        self._file = file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            with suppress(OSError):
                self._path(self.id).unlink()

    def is_alive(self, session: str) -> bool:
        """Whether the program of this session still runs; clears up after one that does not."""
        if session == self.id:
            return True
        path = self._path(session)
        try:
            with path.open("r+b") as file:
                _lock(file)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        with suppress(OSError):
            path.unlink()
        return False

    def _path(self, session: str) -> Path:
        return self._folder / f"{session}.lock"


if sys.platform == "win32":

    def _lock(file: IO[bytes]) -> None:
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:

    def _lock(file: IO[bytes]) -> None:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
