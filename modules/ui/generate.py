"""From a click on Generate to pictures in the gallery.

The engine runs jobs in its own thread; a handler here only waits. A page that goes away takes its handler
with it and leaves the job alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from modules.ui.requests import FIELDS, txt2img_request
from modules.ui.results import comments_html, error_html, gallery_items, infotext_html

if TYPE_CHECKING:
    from modules.engine.engine import Engine
    from modules.engine.jobs import Job
    from modules.pipeline.processing import StableDiffusionProcessing
    from modules.ui.parts.output import OutputPanel
    from modules.ui.parts.toprow import TopRow

log = logging.getLogger(__name__)
OUTPUT_SETTINGS = (
    "outdir_samples", "outdir_txt2img_samples", "outdir_img2img_samples", "outdir_extras_samples",
    "outdir_grids", "outdir_txt2img_grids", "outdir_img2img_grids", "outdir_save",
)  # fmt: skip


class Stops:
    """Stops the task that a page asks to stop, also one that has not reached the engine yet.

    A click on Interrupt may overtake the request it is meant for.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._early: set[str] = set()
        self._lock = threading.Lock()

    def submit(self, request: StableDiffusionProcessing, task_id: str) -> Job:
        """Hand a request to the engine; if its stop came first, it ends before its first picture."""
        with self._lock:
            job = self._engine.submit(request, task_id or None, source="page")
            if task_id in self._early:
                self._early.discard(task_id)
                job.progress.interrupt()
            return job

    def interrupt(self, task_id: str) -> None:
        """Stop a page's task, waiting or running; without a task whatever runs."""
        if not task_id:
            self._engine.interrupt()
            return
        with self._lock:
            job = self._engine.job(task_id)
            if job is None:
                self._early.add(task_id)
            elif not job.finished:
                job.progress.interrupt()


def form_handler(
    engine: Engine, stops: Stops, names: Sequence[str], build: Callable[[dict[str, Any]], StableDiffusionProcessing]
) -> Callable[..., tuple[Any, ...]]:
    """The function behind Generate: (task id, the form's values by `names` …) -> gallery, JSON, infotext, comments, error."""

    folders = output_folders(engine)

    def generate(task_id: str, *values: Any) -> tuple[Any, ...]:
        try:
            return show(stops.submit(build(dict(zip(names, values, strict=True))), task_id), folders)
        except Exception as error:
            return failure(error)

    return generate


def txt2img_handler(engine: Engine, stops: Stops) -> Callable[..., tuple[Any, ...]]:
    """The function behind txt2img's Generate, for the values of `FIELDS`."""
    return form_handler(engine, stops, FIELDS, txt2img_request)


def restore_handler(engine: Engine) -> Callable[[str], tuple[Any, ...]]:
    """The function that fetches the result of a job that an earlier page started; waits while it runs."""

    folders = output_folders(engine)

    def restore(task_id: str) -> tuple[Any, ...]:
        job = engine.job(task_id) if task_id else None
        try:
            return show(job, folders) if job is not None else (gr.skip(),) * 5
        except Exception as error:
            return failure(error)

    return restore


def show(job: Job, folders: Sequence[Path]) -> tuple[Any, ...]:
    """Wait for a job and lay out its result; raises what the job raised."""
    processed = job.wait()
    if not processed.images:  # stopped before the first one: what is shown stays
        return gr.skip(), gr.skip(), gr.skip(), comments_html(processed), ""
    infotexts = processed.infotexts
    return (
        gr.Gallery(gallery_items(processed, folders), selected_index=0),
        processed.js(),
        infotext_html(infotexts[0] if infotexts else ""),
        comments_html(processed),
        "",
    )


def failure(error: Exception) -> tuple[Any, ...]:
    """Keep the pictures that are there and say what went wrong."""
    log.warning("generating failed: %s", error)
    log.debug("", exc_info=error)
    return gr.skip(), gr.skip(), gr.skip(), gr.skip(), error_html(error)


def output_folders(engine: Engine) -> list[Path]:
    """Folders that pictures are saved to, whose files the page may show as they are."""
    folders = [getattr(engine.options, name, "") for name in OUTPUT_SETTINGS]
    return [engine.paths.output(folder).resolve() for folder in folders if folder]


def connect_generate(
    tab: str, engine: Engine, stops: Stops, top: TopRow, output: OutputPanel, inputs: Sequence[Any], handler: Callable[..., Any]
) -> None:
    """Wire a tab's Generate, Interrupt and Skip, and the return of a job that outlived its page."""
    task = gr.Textbox(elem_id=f"{tab}_task_id", visible=False)
    restore = gr.Button("Restore progress", elem_id=f"{tab}_restore_progress", visible="hidden")
    outputs = [output.gallery, output.generation_info, output.infotext, output.comments, top.error]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    waiting = {**quiet, "concurrency_limit": None, "trigger_mode": "multiple"}
    capital = tab.capitalize()
    top.generate.click(handler, inputs=[task, *inputs], outputs=outputs, js=_js(_SUBMIT[tab]), **waiting)
    restore.click(restore_handler(engine), inputs=[task], outputs=outputs, js=_js(f"restoreProgress{capital}"), **waiting)
    top.interrupt.click(stops.interrupt, inputs=[task], js=f"() => followedTask('{tab}')", queue=False, **quiet)
    top.skip.click(engine.skip, queue=False, **quiet)
    top.clear.click(
        None,
        inputs=[top.prompt, top.negative_prompt],
        outputs=[top.prompt, top.negative_prompt],
        js=_js("confirm_clear_prompt"),
        **quiet,
    )


_SUBMIT = {"txt2img": "submit", "img2img": "submit_img2img"}


def _js(function: str) -> str:
    # Looked up at the click, so that an extension's script may replace the function.
    return f"(...args) => window.{function}(...args)"
