"""What a finished job shows."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PIL import Image

from modules.ui.results import comments_html, error_html, gallery_items, infotext_at, infotext_html


def processed(count: int, paths: list[str], first: int = 0, comments: str = "") -> Any:
    images = [Image.new("RGB", (8, 8)) for _ in range(count)]
    return SimpleNamespace(images=images, paths=paths, index_of_first_image=first, comments=comments)


def test_saved_files_are_shown_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    assert gallery_items(processed(1, [str(file)]), [tmp_path]) == [str(file)]


def test_a_grid_comes_first_and_keeps_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    result = processed(2, [str(file)], first=1)
    assert gallery_items(result, [tmp_path]) == [result.images[0], str(file)]


def test_files_elsewhere_are_not_handed_out(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    result = processed(1, [str(file)])
    assert gallery_items(result, [tmp_path / "other"]) == result.images


def test_unsaved_pictures_are_shown_from_memory() -> None:
    result = processed(2, [])
    assert gallery_items(result, []) == result.images


def test_an_infotext_is_three_paragraphs() -> None:
    html = infotext_html("a <b>\nline\nNegative prompt: dog\nSteps: 3, Seed: 1")
    assert "<p class='infotext-prompt'>a &lt;b&gt;<br>line</p>" in html
    assert "<p class='infotext-negative'>Negative prompt: dog</p>" in html
    assert "<p class='infotext-parameters'>Steps: 3, Seed: 1</p>" in html


def test_an_infotext_without_prompt_or_negative() -> None:
    assert infotext_html("Steps: 3, Seed: 1").count("<p") == 1
    assert "infotext-prompt" not in infotext_html("Negative prompt: dog\nSteps: 3")
    assert infotext_html("") == ""


def test_the_infotext_of_each_picture() -> None:
    info = json.dumps({"infotexts": ["a", "b"]})
    assert [infotext_at(info, index) for index in (0, 1, 2, -1)] == ["a", "b", "", ""]
    assert infotext_at("", 0) == infotext_at("no json", 0) == ""


def test_an_error_is_escaped_and_announced() -> None:
    html = error_html(ValueError("bad <thing>"))
    assert "bad &lt;thing&gt;" in html and "role='alert'" in html and "<details>" in html


def test_a_slip_of_the_program_does_not_pose_as_advice() -> None:
    assert "Something went wrong inside the program (KeyError: &#x27;x&#x27;)" in error_html(KeyError("x"))


def test_comments() -> None:
    assert comments_html(processed(0, [])) == ""
    assert comments_html(processed(0, [], comments="a\nb")) == "<p class='comments'>a<br>b</p>"
