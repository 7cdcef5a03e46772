"""The list of upscalers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from golden_data import golden

from modules.enhance.upscalers import Upscalers
from modules.settings.store import Options


def test_names_order_and_scales_are_the_recorded_ones(golden_upscalers: Upscalers) -> None:
    recorded = json.loads(golden("lists", "upscalers.json").read_text())
    expected = [(entry["name"], entry["scale"], entry["model_name"]) for entry in recorded if entry["name"] != "LDSR"]
    assert [(info.name, info.scale, info.family.listed_as) for info in golden_upscalers.list()] == expected


def test_without_files_each_family_shows_its_usual_model(upscalers: Upscalers) -> None:
    names = upscalers.names()
    assert names[:3] == ["None", "Lanczos", "Nearest"]
    assert "ESRGAN_4x" in names
    assert "SwinIR 4x" in names
    assert names[3:] == sorted(names[3:], key=str.lower)


def test_settings_choose_the_named_models(upscalers: Upscalers, options: Options) -> None:
    options.set("realesrgan_enabled_models", ["R-ESRGAN 2x+"])
    options.set("dat_enabled_models", [])
    names = upscalers.names()
    assert "R-ESRGAN 2x+" in names
    assert not any(name.startswith(("R-ESRGAN 4x", "DAT")) for name in names)


def test_files_are_found_in_every_folder(make_upscalers: Callable[[Path], Upscalers], tmp_path: Path) -> None:
    for name in (
        "ESRGAN/a.pth",
        "ESRGAN/deep/b.safetensors",
        "DAT/mine.pth",
        "DAT/DAT_x2.pth",
        "HAT/h.pth",
        "BSRGAN/bs.pth",
        "ESRGAN/no.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    infos = {info.name: info for info in make_upscalers(tmp_path).list()}
    assert {"a", "b", "mine", "h", "bs"} <= set(infos)
    assert not {"no", "DAT_x2", "ESRGAN_4x"} & set(infos)
    assert infos["DAT x2"].installed
    assert not infos["DAT x3"].installed
