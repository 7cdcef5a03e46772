"""What a finished job shows: the gallery's pictures, their infotext, or a sentence about what went wrong."""

from __future__ import annotations

import html
import json
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modules.pipeline.processed import Processed

NEGATIVE = "Negative prompt:"


def gallery_items(processed: Processed, roots: Sequence[Path]) -> list[Any]:
    """Pictures for the gallery: the saved file where it lies under one of `roots`, else the picture itself.

    Handing out the file keeps its name and its metadata for whoever saves it from the browser.
    """
    grids, samples = processed.images[: processed.index_of_first_image], processed.images[processed.index_of_first_image :]
    if len(processed.paths) != len(samples):
        return list(processed.images)
    files = [Path(path) for path in processed.paths]
    shown = [str(file) if _is_under(file, roots) else image for file, image in zip(files, samples, strict=True)]
    return [*grids, *shown]


def _is_under(file: Path, roots: Sequence[Path]) -> bool:
    return file.is_file() and any(file.resolve().is_relative_to(root) for root in roots)


def infotext_html(infotext: str) -> str:
    """An infotext as safe HTML: the prompt, the negative prompt, the parameters, each its own paragraph."""
    if not infotext.strip():
        return ""
    return f"<div class='infotext-body'>{''.join(_paragraphs(infotext))}</div>"


def _paragraphs(infotext: str) -> list[str]:
    lines = infotext.strip().split("\n")
    parameters = lines.pop() if lines[-1].startswith("Steps: ") else ""
    text = "\n".join(lines)
    prompt, separator, negative = text.partition(f"\n{NEGATIVE}")
    if text.startswith(NEGATIVE):
        prompt, separator, negative = "", NEGATIVE, text.removeprefix(NEGATIVE)
    parts = [(prompt, "infotext-prompt"), (f"{NEGATIVE}{negative}" if separator else "", "infotext-negative")]
    parts.append((parameters, "infotext-parameters"))
    return [f"<p class='{css}'>{_escape(part)}</p>" for part, css in parts if part.strip()]


def infotext_at(generation_info: str, index: int) -> str:
    """The infotext of the gallery's picture `index`, out of the job's JSON; empty where there is none."""
    try:
        infotexts = json.loads(generation_info or "{}").get("infotexts") or []
    except (ValueError, AttributeError):
        return ""
    return infotexts[index] if 0 <= index < len(infotexts) else ""


def comments_html(processed: Processed) -> str:
    """Remarks the run left (unknown networks, overwritten values) as safe HTML."""
    comments = getattr(processed, "comments", "") or ""
    return f"<p class='comments'>{_escape(comments.strip())}</p>" if comments.strip() else ""


def error_html(error: BaseException) -> str:
    """An error as one sentence, with the full text one click away; announced by screen readers."""
    sentence = str(error).strip() or type(error).__name__
    if isinstance(error, KeyError | IndexError | TypeError | AttributeError | AssertionError):
        sentence = f"Something went wrong inside the program ({type(error).__name__}: {sentence})."
    details = "".join(traceback.format_exception(error)).strip()
    return (
        f"<div class='generate-error' role='alert'><p>{_escape(sentence)}</p>"
        "<button class='close' type='button' aria-label='Dismiss'>×</button>"
        f"<details><summary>Details</summary><pre>{html.escape(details)}</pre></details></div>"
    )


def _escape(text: str) -> str:
    return html.escape(text.strip()).replace("\n", "<br>")
