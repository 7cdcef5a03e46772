"""Which hooks and callbacks a job calls, in which order and with what, compared with what an extension saw on the original."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import pytest
from golden_data import golden

from tests.extend.conftest import Program

QUICK = ("txt2img", "txt2img_batch2x2_save", "img2img", "inpaint_whole", "txt2img_selected_script", "txt2img_hires_latent")
NAMES = (
    "txt2img", "txt2img_batch2x2", "txt2img_batch2x2_save", "txt2img_ddim", "txt2img_heun", "txt2img_and", "txt2img_lora",
    "txt2img_no_networks", "txt2img_alwayson_args", "txt2img_selected_script", "txt2img_prompt_matrix", "txt2img_hires_latent",
    "txt2img_hires_pixel", "txt2img_hires_batch2x2", "txt2img_hires_save_before", "txt2img_hires_checkpoint", "txt2img_hires_refiner",
    "txt2img_extra_noise_hires", "txt2img_refiner", "txt2img_plain_after_refiner", "img2img", "img2img_ddim", "img2img_extra_noise",
    "img2img_loopback", "inpaint_whole", "inpaint_only_masked", "inpaint_batch2x2", "inpaint_ddim", "inpaint_soft",
    "inpaint_save_masks", "png_info", "extras_single",
)  # fmt: skip
SHAPES = (
    "x", "noise", "xi", "sigma", "samples", "images", "image", "prompts", "seeds", "batch_number", "current_latent", "nmask", "mask",
    "init_latent", "index", "sampling_step", "total_sampling_steps", "text_cond", "text_uncond", "is_final_blend", "imgs", "cols",
)  # fmt: skip


@cache
def recorded() -> dict[str, Any]:
    requests: dict[str, Any] = json.loads(golden("lists", "hooks.json").read_text("utf-8"))["requests"]
    return requests


def filled(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("@inputs/"):
        return base64.b64encode(golden(*value.removeprefix("@").split("/")).read_bytes()).decode()
    if isinstance(value, list):
        return [filled(item) for item in value]
    return value


def shapes(events: list[Any]) -> list[tuple[str, dict[str, str]]]:
    return [(name, {key: value for key, value in fields.items() if key in SHAPES}) for name, fields in events]


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES])
def test_a_job_calls_what_the_original_calls(program: Program, name: str) -> None:
    case = recorded()[name]
    body = {key: filled(value) for key, value in case["payload"].items()}
    before = {"refiner": "tiny-sd1-b", "plain": "tiny-sd1"}
    plain = name == "txt2img_plain_after_refiner"
    program.engine.models.get(program.engine.checkpoints.get(before["refiner" if plain else "plain"]))
    answer, seen = program.post(case["endpoint"], body)
    assert answer.status_code == 200, answer.text[:500]
    assert [event for event, _ in seen] == [event for event, _ in case["events"]]
    assert shapes(seen) == shapes(case["events"])


def test_arguments_of_always_on_scripts(program: Program) -> None:
    program.recorder.Recorder.seen.clear()
    body = {"prompt": "a cat", "steps": 1, "width": 64, "height": 64}
    for given in ({}, {"zz recorder": {"args": [False]}}, {"ZZ Recorder": {"args": [False, "w", 3]}}):
        answer, _ = program.post("/sdapi/v1/txt2img", {**body, "alwayson_scripts": given})
        assert answer.status_code == 200
    assert program.recorder.Recorder.seen == [[True, "default"], [False, "default"], [False, "w"]]
