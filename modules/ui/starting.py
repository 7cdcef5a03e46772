"""The page that is there before the page is: says what is being loaded and gives way by itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

TEMPLATE = Path(__file__).resolve().parents[2] / "html" / "starting.html"


@dataclass
class Starting:
    """How far the start has come; whoever starts things writes `message`, `ready` and `error`."""

    message: str = "Loading the page…"
    ready: bool = False
    error: str | None = None

    def dict(self) -> dict[str, Any]:
        return {"ready": self.ready, "message": self.message, "error": self.error}


def install(app: FastAPI) -> Starting:
    """Answer `/` with the small page and `/internal/startup` with the state, until `remove` is called.

    The page asks `/internal/startup` and loads itself anew once `ready` is true.
    """
    from fastapi.responses import HTMLResponse

    starting = Starting()

    async def small_page() -> HTMLResponse:
        return HTMLResponse(TEMPLATE.read_text(encoding="utf-8"), headers={"Cache-Control": "no-store"})

    async def startup_state() -> dict[str, Any]:
        return starting.dict()

    app.add_api_route("/", small_page, include_in_schema=False, name="starting")
    app.add_api_route("/internal/startup", startup_state, include_in_schema=False)
    return starting


def remove(app: FastAPI) -> None:
    """Take the small page away, so that the real one answers `/`."""
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "name", "") != "starting"]
