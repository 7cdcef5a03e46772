"""Requests and answers of `/easel/v1/jobs`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Priority = Annotated[int, Field(ge=-1000, le=1000)]


class Strict(BaseModel):
    """Here a field that does not exist is a mistake, and said."""

    model_config = ConfigDict(extra="forbid")


class WebhookRequest(Strict):
    """Where to tell that the job is over. With a `secret` each message is signed with it."""

    url: str = Field(max_length=2000)
    secret: str = Field(default="", max_length=500)


class JobRequest(Strict):
    """A job: the kind, and the body that `/sdapi/v1/<kind>` takes."""

    kind: Literal["txt2img", "img2img", "extras"]
    request: dict[str, Any]
    priority: Priority = 0
    paused: bool = False
    webhook: WebhookRequest | str | None = None


class AgainRequest(Strict):
    """Fields of the request to change; the others, the seed too, stay."""

    request: dict[str, Any] = Field(default_factory=dict)
    priority: Priority = 0


class MoveRequest(Strict):
    """Where to: a place in the queue from 0, before another job, or a priority."""

    index: int | None = Field(None, ge=0)
    before: str | None = None
    priority: Priority | None = None


class JobState(BaseModel):
    """A job and the state it is in."""

    id: str
    state: Literal["queued", "running", "paused", "done", "failed", "cancelled"]


class JobProgress(BaseModel):
    """How far a running job is: `fraction` in 0..1, `eta` in seconds."""

    fraction: float
    eta: float | None
    step: int
    steps: int
    text: str | None


class JobEvaluations(BaseModel):
    """Answers of the denoising network since the job was taken up last: worked out, and taken from its journal."""

    computed: int
    replayed: int


class JobFailure(BaseModel):
    """Why a job failed."""

    kind: str
    message: str


class JobAnswer(JobState):
    """All about a job but its request and its pictures. Times in seconds since 1970; `place` counts the jobs before it."""

    number: int
    kind: str
    source: str
    parent: str | None
    priority: int
    place: int | None
    created: float
    started: float | None
    finished: float | None
    attempts: int
    progress: JobProgress
    evaluations: JobEvaluations
    error: JobFailure | None
    images: list[str]
    info: dict[str, Any] | None


class JobList(BaseModel):
    """Jobs, the newest first; `next` is what to give as `before` for the page after this one."""

    jobs: list[JobAnswer]
    next: int | None
