"""Routes that only the page uses (A1111's `/internal/*`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from modules.ui.progress import progress_of
from modules.ui.tokens import token_counts_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from modules.engine.engine import Engine


class ProgressQuestion(BaseModel):
    """Which task, and the newest preview the page already shows."""

    id_task: str | None = None
    id_live_preview: int = -1
    live_preview: bool = True


class PromptTexts(BaseModel):
    """Prompts to count tokens of; `steps` decides which editing steps exist."""

    texts: list[str]
    steps: int = 20
    is_positive: bool = True


PAGE_OPTIONS = (
    "live_previews_enable", "live_preview_refresh_period", "show_progress_in_title", "disable_token_counters",
    "keyedit_precision_attention", "keyedit_precision_extra", "keyedit_delimiters",
    "keyedit_delimiters_whitespace", "keyedit_move",
)  # fmt: skip
"""Settings the page's scripts read."""


def add_routes(app: FastAPI, engine: Engine) -> None:
    """Register the routes; they must come before the page is mounted at `/`."""

    def progress(question: ProgressQuestion) -> dict[str, Any]:
        return progress_of(engine, question.id_task, question.id_live_preview, question.live_preview).dict()

    def pending_tasks() -> dict[str, Any]:
        ids = [job.id for job in engine.pending()]
        return {"size": len(ids), "tasks": ids}

    async def ping() -> dict[str, Any]:
        return {}

    def page_options() -> dict[str, Any]:
        return {name: getattr(engine.options, name, None) for name in PAGE_OPTIONS}

    def token_counts(prompts: PromptTexts) -> list[dict[str, int]]:
        counts = token_counts_of(engine, prompts.texts, prompts.steps, is_positive=prompts.is_positive)
        return [{"count": count, "max": limit} for count, limit in counts]

    app.add_api_route("/internal/progress", progress, methods=["POST"], include_in_schema=False)
    app.add_api_route("/internal/pending-tasks", pending_tasks, include_in_schema=False)
    app.add_api_route("/internal/ping", ping, include_in_schema=False)
    app.add_api_route("/internal/options", page_options, include_in_schema=False)
    app.add_api_route("/internal/token-counts", token_counts, methods=["POST"], include_in_schema=False)
