"""Requests that name scripts: what is refused, what is contained, what needs no Gradio."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.extend.conftest import Program

ROOT = Path(__file__).resolve().parents[2]
BODY = {"prompt": "a|b", "steps": 1, "width": 64, "height": 64, "seed": 1}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"script_name": "no such script"}, "Script 'no such script' not found"),
        ({"script_name": "ZZ Recorder"}, "Script 'ZZ Recorder' not found"),
        ({"script_name": "loopback"}, "Script 'loopback' not found"),
        ({"alwayson_scripts": {"nothing": {}}}, "Script 'nothing' not found"),
        ({"alwayson_scripts": {"soft inpainting": {}}}, "Script 'soft inpainting' not found"),
        ({"alwayson_scripts": {"Prompt matrix": {"args": []}}}, "Cannot have a selectable script in the always on scripts params"),
        ({"alwayson_scripts": {"zz recorder": 3}}, "must be an object"),
        ({"script_name": "x/y/z plot", "script_args": [99, "", [], 0, "", [], 0, "", []] + [False] * 7 + [0, False]}, "axis 99"),
    ],
)
def test_scripts_that_cannot_be_used_are_refused(program: Program, given: dict[str, object], said: str) -> None:
    answer, _ = program.post("/sdapi/v1/txt2img", {**BODY, **given})
    assert answer.status_code == 422
    assert said in answer.text


def test_a_broken_hook_does_not_harm_the_job(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    answer, seen = program.post("/sdapi/v1/txt2img", BODY)
    assert answer.status_code == 200 and len(answer.json()["images"]) == 1
    assert "broken on purpose" in caplog.text
    assert seen[-1][0] == "postprocess"


def test_title_in_any_case_and_no_arguments_missing(program: Program) -> None:
    body = {**BODY, "script_name": "PROMPT matrix", "script_args": [False, False, "positive", "comma", 0]}
    answer, _ = program.post("/sdapi/v1/txt2img", body)
    assert answer.status_code == 200 and len(answer.json()["images"]) == 3


def test_a_plain_job_loads_the_scripts_of_the_box_but_no_gradio(tmp_path: Path) -> None:
    code = f"""
import sys
from types import SimpleNamespace
from modules import flags
from modules.engine.engine import Engine
from modules.extend.host import install
from modules.pipeline.processing import StableDiffusionProcessingTxt2Img, StableDiffusionProcessingImg2Img
given = flags.parse(["--data-dir", {str(tmp_path)!r}])
host = install(Engine(given), given)
for request in (StableDiffusionProcessingTxt2Img(), StableDiffusionProcessingImg2Img()):
    host.attach(request)
    assert request.scripts.selectable_scripts and request.script_args[0] == 0
assert "gradio" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=300)
