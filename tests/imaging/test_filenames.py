"""File name patterns against what A1111 made of them."""

from __future__ import annotations

import datetime
import json

from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modules.imaging.filenames import NamedPicture, apply_pattern, sanitize_filename_part

STYLE = "a photo of {prompt}, 35mm"


def picture(**changes) -> NamedPicture:
    fields = dict(
        prompt="a photo of a photo of cat, 35mm, (red:1.2), 35mm",
        base_prompt="a photo of cat, 35mm, (red:1.2)",
        base_negative_prompt="bad, ugly",
        seed=5,
        all_seeds=[5, 6, 7, 8],
        image=Image.new("RGB", (64, 48), (10, 20, 30)),
        steps=20,
        cfg_scale=7.5,
        sampler="DPM++ 2M",
        scheduler="Karras",
        model_name="tiny-sd1",
        model_hash="5e0815c66b",
        styles=["style2"],
        style_texts=[STYLE],
        job_timestamp="20240101000000",
        denoising_strength=0.75,
        user="bob",
        now=lambda zone: datetime.datetime(2026, 11, 22, 9, 8, 7, tzinfo=zone),
    )
    return NamedPicture(**{**fields, **changes})


def test_patterns_as_recorded() -> None:
    recorded = json.loads(golden("pure", "filename_patterns.json").read_text())
    jobs = {"b1": {}, "b2n2": {"batch_size": 2, "batch_count": 2, "batch_index": 1, "iteration": 1}}
    for name, job in jobs.items():
        for archive in (0, 1):
            for pattern, answer in recorded[f"{name}_zip{archive}"].items():
                assert apply_pattern(pattern, picture(archive=bool(archive), **job)) == answer, pattern
    for pattern, answer in recorded["denoise_set"].items():
        assert apply_pattern(pattern, picture(denoising_strength=0.55)) == answer
    assert apply_pattern("x[denoising]y", picture(denoising_strength=None)) == "y"


def test_dates() -> None:
    assert apply_pattern("[date] [datetime]", picture()) == "2026-11-22 20261122090807"
    assert apply_pattern("[datetime<%H:%M><Asia/Seoul>]", picture()) == "09_08"
    assert apply_pattern("[datetime<%H><No/Where>]", picture()) == "09"


def test_sanitizing_as_recorded() -> None:
    for text, (underscored, spaced) in json.loads(golden("pure", "sanitize_filename_part.json").read_text()).items():
        assert sanitize_filename_part(text) == underscored
        assert sanitize_filename_part(text, underscores=False) == spaced


def test_missing_values_leave_the_token() -> None:
    assert apply_pattern("[user]-[seed]-[steps]", NamedPicture()) == "[user]--[steps]"


@given(st.text())
def test_a_prompt_never_leaves_its_folder(prompt: str) -> None:
    name = apply_pattern("[prompt]|[prompt_spaces]|[prompt_words]|[hasprompt<a|/../>]", picture(prompt=prompt))
    assert not set(name) & set('/\\\0<>:"?*\n\r\t')
    unix = apply_pattern("[prompt]", picture(prompt=prompt, unix=True))
    assert not set(unix) & set("/\0") and unix not in (".", "..")


@given(st.text(alphabet="[]<>|ab seed%", max_size=40))
def test_any_pattern_gives_a_name(pattern: str) -> None:
    assert isinstance(apply_pattern(pattern, picture()), str)
