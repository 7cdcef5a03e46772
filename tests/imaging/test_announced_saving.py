"""Extensions are told before and after a picture is written, and may change everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from modules import events
from modules.imaging.announced import save_announced
from modules.imaging.filenames import NamedPicture
from modules.settings.schema import SCHEMA

SETTINGS = SimpleNamespace(**{key: option.default for key, option in SCHEMA.items()} | {"save_to_dirs": False})


@pytest.fixture(autouse=True)
def no_callbacks() -> Iterator[None]:
    events.callbacks.clear()
    yield
    events.callbacks.clear()


def save(folder: Path, **how: Any) -> Path:
    return save_announced(Image.new("RGB", (8, 8)), folder, SETTINGS, NamedPicture(seed=5, prompt="x"), infotext="first", **how).path


def test_the_planned_path_is_the_one_written(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    events.callbacks.add("before_image_saved", lambda params: seen.append(("before", params.filename)))
    events.callbacks.add("image_saved", lambda params: seen.append(("after", params.filename)))
    first, second = save(tmp_path), save(tmp_path, suffix="-mask")
    grid = save(tmp_path, grid=True)
    assert seen == [(when, str(path)) for path in (first, second, grid) for when in ("before", "after")]
    assert len({first, second, grid}) == 3


def test_picture_texts_and_path_may_be_changed(tmp_path: Path) -> None:
    def change(params: Any) -> None:
        params.image = Image.new("RGB", (4, 4), "blue")
        params.pnginfo["parameters"] = "second"
        params.pnginfo["mine"] = "more"
        params.filename = str(tmp_path / "other" / "name.png")

    events.callbacks.add("before_image_saved", change)
    path = save(tmp_path)
    assert path == tmp_path / "other" / "name.png"
    with Image.open(path) as image:
        assert image.size == (4, 4)
        assert image.info["parameters"] == "second" and image.info["mine"] == "more"


def test_a_failing_callback_does_not_keep_the_picture_from_being_saved(tmp_path: Path) -> None:
    events.callbacks.add("before_image_saved", lambda params: 1 / 0)
    assert save(tmp_path).is_file()
