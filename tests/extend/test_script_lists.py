"""What the API tells about scripts, compared with the original's answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from golden_data import data_folder, golden, link_tree

from tests.extend.conftest import Program

GROWN = {"Upscaler"}
"""Arguments whose choices depend on the weights there are."""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    data = tmp_path_factory.mktemp("bare") / "data"
    link_tree(data_folder(), data)
    running = Program(data)
    yield running
    running.close()


def listed(name: str) -> Any:
    return json.loads(golden("lists", name).read_text("utf-8"))


def test_scripts_by_page_in_the_original_order(bare: Program) -> None:
    answer = bare.client.get("/sdapi/v1/scripts").json()
    assert answer == listed("scripts.json")


def test_every_argument_has_the_original_label_default_and_range(bare: Program) -> None:
    answer = {(s["name"], s["is_img2img"]): s for s in bare.client.get("/sdapi/v1/script-info").json()}
    recorded = {(s["name"], s["is_img2img"]): s for s in listed("script-info.json")}
    assert list(answer) == list(recorded)
    for key, script in recorded.items():
        assert answer[key]["is_alwayson"] == script["is_alwayson"]
        ours, theirs = answer[key]["args"], script["args"]
        assert [arg["label"] for arg in ours] == [arg["label"] for arg in theirs], key
        for mine, wanted in zip(ours, theirs, strict=True):
            if wanted["label"] in GROWN or wanted["label"] == "Checkpoint":
                continue
            assert comparable(mine) == comparable(wanted), key


def comparable(arg: dict[str, Any]) -> dict[str, Any]:
    kept = {name: arg[name] for name in ("minimum", "maximum", "choices")}
    return {**kept, "value": None if arg["value"] == [] else arg["value"], "step": arg["step"] if arg["minimum"] is not None else None}
