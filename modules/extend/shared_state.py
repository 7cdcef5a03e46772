"""`shared.state`: the running job's progress under A1111's names, for scripts that drive or watch it (platform.md §4.8)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from modules.pipeline.state import JobState

if TYPE_CHECKING:
    from modules.engine.engine import Engine

RENAMED = {"current_image_sampling_step": 0, "current_latent": None, "server_start": None, "server_command": None}
"""Fields that the program keeps nowhere else, with their first values."""


class SharedState:
    """Reads and writes go to the running job; between jobs to a state of its own."""

    def __init__(self, engine: Engine) -> None:
        own = vars(self)
        own["_engine"] = engine
        own["_idle"] = JobState()
        own["_extra"] = dict(RENAMED)

    @property
    def _job(self) -> JobState:
        current = self._engine.current
        state: JobState = self._idle if current is None else current.progress
        return state

    def __getattr__(self, name: str) -> Any:
        extra = vars(self)["_extra"]
        return extra[name] if name in extra else getattr(self._job, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in JobState.__dataclass_fields__:
            setattr(self._job, name, value)
        else:
            self._extra[name] = value

    def begin(self, job: str = "(unknown)") -> None:
        """Start anew for a job that an extension runs on its own."""
        if self._engine.current is None:
            vars(self)["_idle"] = JobState(job=job, job_count=-1)
        else:
            self._job.job = job

    def end(self) -> None:
        """The job that `begin` started is over."""
        if self._engine.current is None:
            self._idle.job, self._idle.job_count = "", 0

    def dict(self) -> dict[str, Any]:
        """The fields of the API's `state` object."""
        return self._job.dict()

    def assign_current_image(self, image: Any) -> None:
        """Show a picture as the live preview."""
        self._job.show(image)

    def set_current_image(self) -> None:
        """Previews are made by the sampling loop itself."""

    def do_set_current_image(self) -> None:
        """See `set_current_image`."""

    def request_restart(self) -> None:
        """Stop what runs; restarting is the server's business."""
        self._extra["server_command"] = "restart"
        self._job.interrupt()

    @property
    def need_restart(self) -> bool:
        return self._extra["server_command"] == "restart"

    def wait_for_server_command(self, timeout: float | None = None) -> str | None:
        """The command that was asked for, or None after `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while self._extra["server_command"] is None and (end is None or time.monotonic() < end):
            time.sleep(0.1)
        command, self._extra["server_command"] = self._extra["server_command"], None
        return command  # type: ignore[no-any-return]


class TotalProgress:
    """`shared.total_tqdm`: a bar over all jobs of a script; here only told, since progress is the job's."""

    def __init__(self, state: SharedState) -> None:
        self._state = state

    def reset(self) -> None: ...

    def update(self) -> None: ...

    def updateTotal(self, new_total: int) -> None: ...

    def clear(self) -> None: ...
