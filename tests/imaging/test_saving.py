"""Names, numbers and contents of saved pictures."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import threading
from pathlib import Path

import pytest
from golden_data import golden
from PIL import Image

from modules.imaging import files
from modules.imaging.filenames import NamedPicture
from modules.imaging.files import SaveError, create_file, replace_file, shortened
from modules.imaging.metadata import read_info_from_image
from modules.imaging.saving import next_sequence_number, save_image, write_image
from modules.settings.store import Options, SettingsView

PROMPT = 'a photo of cat: "x" / y'
INFOTEXT = "그림 of a cat 🐈\nNegative prompt: bad\nSteps: 1, Seed: 5, Size: 8x8"


def image() -> Image.Image:
    return Image.new("RGB", (16, 8), (200, 30, 40))


def picture(**changes) -> NamedPicture:
    return NamedPicture(**{"prompt": PROMPT, "seed": 5, "sampler": "Euler", **changes})


def settings(**overrides) -> SettingsView:
    return SettingsView(Options(), overrides)


def test_names_as_recorded(tmp_path) -> None:
    recorded = json.loads(golden("pure", "save_image_names.json").read_text())
    for name, overrides, *rest in recorded:
        arguments, answer = rest if len(rest) == 2 else ({}, rest[0])
        grid = arguments.get("grid") == "True"
        given = picture(basename="grid" if grid else "", now=_noon)
        saved = save_image(
            image(),
            tmp_path,
            settings(**overrides),
            given,
            extension={"jpg": "jpg", "webp": "webp"}.get(name, "png"),
            infotext=INFOTEXT,
            grid=grid,
            short_filename=arguments.get("short_filename") == "True",
            suffix=arguments.get("suffix", ""),
            forced_filename=arguments.get("forced_filename"),
        )
        made = [None if path is None else _relative(path, tmp_path) for path in (saved.path, saved.text_path)]
        if name == "no number suffix":
            assert made == ["5-1.png", None]  # the path it really has; A1111 reports 5.png
        elif name == "subdir in pattern":
            assert made == ["x/00000-5.png", None]  # A1111 makes no folder and fails
        else:
            assert made == answer, name


def _noon(zone):
    import datetime

    return datetime.datetime(2026, 11, 22, 12, tzinfo=zone)


def _relative(path: Path, root: Path) -> str:
    return re.sub(r"^2026-11-22/", "<DATE>/", path.relative_to(root).as_posix())


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "gif", "avif"])
def test_the_infotext_comes_back_from_the_file(tmp_path, extension: str) -> None:
    saved = save_image(image(), tmp_path, settings(), picture(), extension=extension, infotext=INFOTEXT)
    with Image.open(saved.path) as opened:
        assert read_info_from_image(opened)[0] == INFOTEXT
        assert opened.size == (16, 8)


def test_no_infotext_when_the_setting_says_so(tmp_path) -> None:
    saved = save_image(image(), tmp_path, settings(enable_pnginfo=False, save_txt=True), picture(), infotext=INFOTEXT)
    with Image.open(saved.path) as opened:
        assert read_info_from_image(opened) == (None, {})
    assert saved.text_path is not None and saved.text_path.read_text(encoding="utf-8") == INFOTEXT + "\n"


def test_many_at_once_get_different_names(tmp_path) -> None:
    threads = [threading.Thread(target=lambda: save_image(image(), tmp_path, settings(), picture())) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = sorted(path.name for path in next(tmp_path.iterdir()).iterdir())
    assert names == [f"{number:05}-5.png" for number in range(12)]


def test_long_names_are_cut_between_characters(tmp_path) -> None:
    given = picture(prompt="고양이" * 100)
    long = settings(save_to_dirs=False, samples_filename_pattern="[prompt][prompt]")
    saved = save_image(image(), tmp_path, long, given, suffix="-before-highres-fix")
    assert len(os.fsencode(saved.path.name)) <= 255
    assert saved.path.name.startswith("00000-고양이") and saved.path.name.endswith("-before-highres-fix.png")
    assert shortened("a" * 400, ".png", "-mask").endswith("a-mask")


@pytest.mark.parametrize("pattern", ["../../out", "/etc/[seed]", "a/../../b", "..", "[prompt]\0x", "C:\\x"])
def test_patterns_stay_inside_the_folder(tmp_path, pattern: str) -> None:
    root = tmp_path / "outputs"
    for overrides in ({"directories_filename_pattern": pattern}, {"samples_filename_pattern": pattern, "save_to_dirs": False}):
        try:
            saved = save_image(image(), root, settings(**overrides), picture())
        except SaveError:
            continue
        assert root in saved.path.parents and ".." not in saved.path.parts
    assert sorted(os.listdir(tmp_path)) == ["outputs"]


def test_a_forced_name_may_not_lead_elsewhere(tmp_path) -> None:
    with pytest.raises(SaveError):
        save_image(image(), tmp_path, settings(), picture(), forced_filename="../x", save_to_dirs=False)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch) -> None:
    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    def open_full(handle, mode):
        os.close(handle)
        return Full()

    monkeypatch.setattr(files.os, "fdopen", open_full)
    with pytest.raises(SaveError, match="disk is full"):
        save_image(image(), tmp_path, settings(save_to_dirs=False), picture())
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_a_file_is_said(tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SaveError, match="could not save"):
        save_image(image(), tmp_path / "file" / "deep", settings(), picture())
    with pytest.raises(SaveError, match="no picture format"):
        save_image(image(), tmp_path, settings(), picture(), extension="exe")


def test_large_pictures_get_a_small_copy(tmp_path) -> None:
    saved = save_image(image(), tmp_path, settings(target_side_length=4), picture(), infotext=INFOTEXT)
    assert saved.copy_path is not None
    with Image.open(saved.copy_path) as opened:
        assert opened.size == (4, 2) and opened.format == "JPEG"
    assert save_image(image(), tmp_path, settings(target_side_length=4, export_for_4chan=False), picture()).copy_path is None


def test_sizes_a_format_cannot_hold_become_png(tmp_path) -> None:
    saved = save_image(Image.new("L", (16384, 1)), tmp_path, settings(export_for_4chan=False), picture(), extension="webp")
    assert saved.path.suffix == ".png"


def test_numbers_count_folders_and_ignore_other_names(tmp_path) -> None:
    assert next_sequence_number(tmp_path) == 0
    for name in ("00007-x.png", "grid-0004.png", "2026-01-31", "x-9999", "1_0.png", "٣.png"):
        (tmp_path / name).mkdir()
    assert next_sequence_number(tmp_path) == 2027
    assert next_sequence_number(tmp_path, "grid") == 5


def test_writing_to_one_path(tmp_path) -> None:
    path = tmp_path / "new" / "out.png"
    write_image(image(), path, infotext=INFOTEXT)
    write_image(image(), path, infotext="second")
    with Image.open(path) as opened:
        assert opened.info["parameters"] == "second"
    assert os.listdir(path.parent) == ["out.png"]


def test_create_never_replaces_and_replace_keeps_the_old_on_failure(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a"
    assert create_file(path, b"1") and not create_file(path, b"2")
    assert path.read_bytes() == b"1"

    def fail(*_):
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(SaveError, match="may not be written"):
        replace_file(path, b"3")
    assert path.read_bytes() == b"1" and os.listdir(tmp_path) == ["a"]
