"""ASGI layers around every route: who may ask, how large a request may be, how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import error_body
from .origins import AllowedOrigins, host_name

READING = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY = 128 * 1024 * 1024
UNBOUNDED = ("/gradio_api/upload",)
"""Paths that stream files to the disk and bound them on their own."""


class Guard:
    """Refuses requests of foreign hosts and origins with status 403 and a sentence that names the way out."""

    def __init__(self, app: ASGIApp, allowed: AllowedOrigins) -> None:
        self.app = app
        self.allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (problem := self._problem(scope)):
            await _refuse(scope, receive, send, 403, problem)
        else:
            await self.app(scope, receive, send)

    def _problem(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in READING
        if not self.allowed.host_allowed(host, changes=changes):
            name = host_name(host)
            return f"this server does not answer to the name '{name}'; start it with --cors-allow-origins https://{name} if it should"
        if not changes:
            return ""
        if origin is None:
            cross = headers.get("sec-fetch-site", "") == "cross-site" and "*" not in self.allowed.origins
            return "cross-site requests are not allowed" if cross else ""
        forwarded = headers.get("x-forwarded-host", "")
        hosts = [host, *(part.strip() for part in forwarded.split(",") if part.strip())]
        if self.allowed.origin_allowed(origin, hosts):
            return ""
        return f"pages of '{origin}' may not use this server; start it with --cors-allow-origins {origin} if they should"


class BodyLimit:
    """Answers 413 to bodies beyond `limit` bytes (MAX_BODY where None), announced or not."""

    def __init__(self, app: ASGIApp, limit: int | None = None) -> None:
        self.app = app
        self.limit = MAX_BODY if limit is None else limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READING or scope["path"].startswith(UNBOUNDED):
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if length:
            fits = length.isdecimal() and int(length) <= self.limit
            body: Receive | None = receive if fits else None
        else:
            body = await self._read(receive)
        if body is None:
            problem = f"the request is larger than {self.limit // (1024 * 1024)} MB; send fewer or smaller pictures"
            await _refuse(scope, receive, send, 413, problem)
        else:
            await self.app(scope, body, send)

    async def _read(self, receive: Receive) -> Receive | None:
        """A body of unknown length, read up to the limit and handed on; None beyond it."""
        messages: list[Message] = []
        size = 0
        more = True
        while more:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > self.limit:
                return None
            more = message["type"] == "http.request" and message.get("more_body", False)

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        return replay


class Timing:
    """Adds `X-Process-Time` (seconds) to every answer and, with `log`, reports each API request as one line."""

    def __init__(self, app: ASGIApp, log: Callable[[str], object] | None = None) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                duration = f"{time.perf_counter() - start:.4f}"
                message["headers"] = [*message.get("headers", ()), (b"x-process-time", duration.encode())]
                self._report(scope, message["status"], duration)
            await send(message)

        await self.app(scope, receive, timed)

    def _report(self, scope: Scope, status: int, duration: str) -> None:
        if self.log is None or not scope["path"].startswith("/sdapi"):
            return
        moment = time.strftime("%Y-%m-%d %H:%M:%S")
        client = (scope.get("client") or ("-",))[0]
        protocol = f"{scope.get('scheme', 'http')}/{scope.get('http_version', '1.1')}"
        path = scope["path"].encode("unicode_escape").decode()
        self.log(f"API {moment} {status} {protocol} {scope['method']} {path} {client} {duration}")


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, problem: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": problem[:120]})
        return
    await JSONResponse(error_body("HTTPException", problem), status)(scope, receive, send)

