"""HTTP Basic authentication of the API (`--api-auth name:password,name:password`)."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping

from fastapi import HTTPException
from starlette.requests import Request


class AuthFlagError(ValueError):
    """`--api-auth` cannot be read."""


def parse_credentials(text: str | None) -> dict[str, str]:
    """Names and passwords of the flag; a password may contain colons. Raises AuthFlagError."""
    pairs = [pair.strip() for pair in (text or "").split(",") if pair.strip()]
    credentials = {}
    for pair in pairs:
        name, colon, password = pair.partition(":")
        if not colon or not name or not password:
            raise AuthFlagError("--api-auth wants name:password, several of them separated by commas")
        credentials[name] = password
    if text and not credentials:
        raise AuthFlagError("--api-auth is empty; give it name:password")
    return credentials


def require_password(credentials: Mapping[str, str]) -> Callable[[Request], None]:
    """A dependency for routes that answers 401 to everyone without one of these passwords."""

    def check(request: Request) -> None:
        name, password = _given(request.headers.get("authorization"))
        wanted = credentials.get(name)
        same = secrets.compare_digest(password.encode(), (wanted or "").encode())
        if wanted is None or not same:
            raise _refused("Incorrect username or password")

    return check


def _given(header: str | None) -> tuple[str, str]:
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        raise _refused("Not authenticated")
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise _refused("Invalid authentication credentials") from None
    if not colon:
        raise _refused("Invalid authentication credentials")
    return name, password


def _refused(detail: str) -> HTTPException:
    return HTTPException(401, detail, {"WWW-Authenticate": "Basic"})
