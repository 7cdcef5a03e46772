"""Errors as JSON: A1111's body, with a sentence the user can act on (platform.md §3.1)."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.diffusion.errors import SamplingError
from modules.engine.checkpoints import CheckpointNotFound
from modules.engine.jobs import JobCancelled, StoredError
from modules.engine.queue import JobStateError, QueueFull
from modules.engine.spool import ResultGone
from modules.enhance.errors import EnhanceError
from modules.pipeline.failures import StageFailed
from modules.pipeline.processing import RequestError
from modules.prompt.errors import PromptError
from modules.settings.errors import FrozenSetting, SettingError, SettingsFileError
from modules.weights.errors import WeightsError

log = logging.getLogger(__name__)

STATUS_OF: tuple[tuple[type[Exception], int], ...] = (
    (FrozenSetting, 403),
    (SettingError, 422),
    (RequestError, 422),
    (PromptError, 422),
    (SamplingError, 422),
    (CheckpointNotFound, 422),
    (EnhanceError, 422),
    (JobCancelled, 503),
    (JobStateError, 409),
    (ResultGone, 410),
    (QueueFull, 429),
    (StoredError, 500),
    (SettingsFileError, 500),
    (WeightsError, 500),
    (StageFailed, 500),
)
"""Errors whose message is meant for the user, most special first."""


def error_body(name: str, detail: Any = "", errors: str = "") -> dict[str, Any]:
    """A1111's error object."""
    return {"error": name, "detail": detail, "body": "", "errors": errors}


def install_handlers(app: FastAPI) -> None:
    """Turn the errors of the API's routes into answers."""
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    for kind, status in STATUS_OF:
        app.add_exception_handler(kind, _told_with(status))


def _told_with(status: int) -> Any:
    def handler(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse(error_body(type(error).__name__, str(error), str(error)), status)

    return handler


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    if isinstance(error, HTTPException):
        return JSONResponse(error_body("HTTPException", error.detail), error.status_code, error.headers)
    # The framework's own: an unknown path, a wrong method.
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    """The framework's list of problems without the values, which may be whole pictures or no JSON."""
    assert isinstance(error, RequestValidationError)
    problems = [{"loc": list(problem["loc"]), "msg": problem["msg"], "type": problem["type"]} for problem in error.errors()]
    return JSONResponse({"detail": problems}, 422)


class ErrorAnswers:
    """ASGI layer that answers with status 500 and A1111's body where everything else gave up; the log has the traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noticing(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noticing)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            log.exception("%s %s failed", scope["method"], scope["path"])
            await JSONResponse(error_body(type(error).__name__, "", str(error)), 500)(scope, receive, send)
