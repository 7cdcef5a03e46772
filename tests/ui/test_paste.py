"""Filling a form from an infotext, and what PNG Info shows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from modules.ui.paste import Form, paste_into
from modules.ui.tab_png_info import read_picture

INFOTEXT = "a <b>cat</b>\nNegative prompt: dog\nSteps: 12, Sampler: Euler a, Schedule type: Karras, CFG scale: 4.5, Seed: 7, Size: 192x128"
ENGINE: Any = SimpleNamespace()


def is_left_alone(value: Any) -> bool:
    return isinstance(value, dict) and value.get("__type__") == "update" and "value" not in value


def test_fields_get_their_values_and_the_rest_stays() -> None:
    keys = ["Prompt", "Negative prompt", "Steps", "Sampler", "Schedule type", "CFG scale", "Size-1", "Size-2", "Seed", "Refiner switch at"]
    form = Form(dict.fromkeys(keys), {"enable_hr": None, "seed_enable_extras": None})
    *values, hires, extras = paste_into(form, INFOTEXT, ENGINE)
    assert values[:-1] == ["a <b>cat</b>", "dog", 12, "Euler a", "Karras", 4.5, 192, 128, 7]
    assert values[-1] == gr.skip()
    assert (hires, extras) == (False, False)


def test_hires_keys_switch_hires_on() -> None:
    form = Form({"Hires upscale": None}, {"enable_hr": None})
    assert paste_into(form, f"{INFOTEXT}, Denoising strength: 0.5, Hires upscale: 2, Hires upscaler: Latent", ENGINE) == [2, True]


def test_no_infotext_changes_nothing() -> None:
    assert paste_into(Form({"Prompt": None}, {"enable_hr": None}), " ", ENGINE) == [gr.skip(), gr.skip()]


def test_a_picture_tells_its_infotext_safely(tmp_path: Any) -> None:
    info = PngInfo()
    info.add_text("parameters", INFOTEXT)
    info.add_text("Comment", "<script>alert(1)</script>")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    infotext, shown = read_picture(Image.open(tmp_path / "a.png"))
    assert infotext == INFOTEXT
    assert "<script>" not in shown
    assert "a &lt;b&gt;cat" in shown
    assert "says nothing" in read_picture(Image.new("RGB", (8, 8)))[1]
