"""Ctrl+Up / Ctrl+Down and Alt+arrows in a prompt, as pure functions inside a browser (platform reference, section 5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser
SCRIPTS = Path(__file__).resolve().parents[2] / "javascript"


@pytest.fixture(scope="module")
def blank(browser: Any) -> Iterator[Any]:
    page = browser.new_page()
    page.set_content("<body></body>")
    for name in ("core.js", "edit_attention.js"):
        page.add_script_tag(path=str(SCRIPTS / name))
    yield page
    page.close()


def parts(marked: str) -> tuple[str, int, int]:
    """A text with the selection between `|`s (one `|`: a caret)."""
    pieces = marked.split("|")
    return "".join(pieces), len(pieces[0]), len(pieces[0] + (pieces[1] if len(pieces) > 2 else ""))


def mark(edit: dict[str, Any]) -> str:
    text = edit["text"]
    return f"{text[:edit['start']]}|{text[edit['start']:edit['end']]}|{text[edit['end']:]}"


@pytest.mark.parametrize(
    ("before", "key", "after"),
    [
        ("a c|at here", "up", "a (|cat|:1.1) here"),
        ("a |cat here| now", "down", "a (|cat here|:0.9) now"),
        ("a |cat | now", "up", "a (|cat|:1.1)  now"),
        ("a (c|at:1.1) here", "up", "a (|cat|:1.2) here"),
        ("a (c|at:1.1) here", "down", "a |cat| here"),
        ("a (c|at:0.9) here", "up", "a |cat| here"),
        ("a ((c|at)) here", "up", "a (|cat|:1.3) here"),
        ("a [c|at] here", "up", "a |cat| here"),
        ("<lora:na|me:1> x", "up", "<|lora:name|:1.05> x"),
        ("<lora:na|me:0.95> x", "up", "<|lora:name|:1.0> x"),
        ("(c|at:1.9)", "up", "(|cat|:2.0)"),
    ],
)
def test_a_weight_changes_by_one_step(blank: Any, before: str, key: str, after: str) -> None:
    text, start, end = parts(before)
    edit = blank.evaluate("([t, s, e, up]) => changeWeight(t, s, e, up)", [text, start, end, key == "up"])
    assert mark(edit) == after


def test_nothing_selected_and_no_word_changes_nothing(blank: Any) -> None:
    assert blank.evaluate("() => changeWeight('a,  ,b', 3, 3, true)") is None


@pytest.mark.parametrize(
    ("before", "key", "after"),
    [
        ("one, t|w|o, three", "left", "two, one, three"),
        ("one, t|w|o, three", "right", "one, three, two"),
        ("one, |two, three|, four", "left", "two, three, one, four"),
        ("one, |two, three|, four", "right", "one, four, two, three"),
    ],
)
def test_items_change_places(blank: Any, before: str, key: str, after: str) -> None:
    text, start, end = parts(before)
    edit = blank.evaluate("([t, s, e, left]) => moveItems(t, s, e, left)", [text, start, end, key == "left"])
    assert edit["text"] == after


def test_the_first_item_cannot_move_further_left(blank: Any) -> None:
    assert blank.evaluate("() => moveItems('one, two', 1, 2, true)") is None
