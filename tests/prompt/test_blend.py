"""Blends, `young:old:0.2`."""

from __future__ import annotations

import json

import pytest
from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st
from prompt_cases import HOSTILE, prompts

from modules.prompt.blend import MAX_BLENDS, expand_blends, find_blends, merge_schedules, mix
from modules.prompt.composition import split_prompt
from modules.prompt.editing import prompt_schedule, schedule_at
from modules.prompt.errors import PromptError


def shares(text: str, mode: str = "first") -> dict[str, float]:
    return {variant: pytest.approx(share) for variant, share in expand_blends(text, mode)}


def test_the_number_is_the_share_of_the_first() -> None:
    assert shares("photo, young:old:0.2, hat") == {"photo, young, hat": 0.2, "photo, old, hat": 0.8}


def test_the_setting_swaps_the_side_or_turns_it_off() -> None:
    assert shares("young:old:0.2", "second") == {"young": 0.8, "old": 0.2}
    assert expand_blends("young:old:0.2", "off") == [("young:old:0.2", 1.0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" young : old : .25 ,x", {" young ,x": 0.25, " old ,x": 0.75}),
        ("a:b:1", {"a": 1}),
        ("a:b:0", {"b": 1}),
        ("a:b:1.0", {"a": 1}),
        ("a:a:0.3", {"a": 1}),
        ("(young:1.2):[old:ancient:5]:0.5", {"(young:1.2)": 0.5, "[old:ancient:5]": 0.5}),
        (r"a\:x:b\,y:0.5", {r"a\:x": 0.5, r"b\,y": 0.5}),
        ("x BREAK a:b:0.5 BREAK y", {"x BREAK a BREAK y": 0.5, "x BREAK b BREAK y": 0.5}),
        ("a:b:0.5, c:d:0.2", {"a, c": 0.1, "a, d": 0.4, "b, c": 0.1, "b, d": 0.4}),
        ("), a:b:0.5", {"), a": 0.5, "), b": 0.5}),
    ],
)
def test_blends(text: str, expected: dict[str, float]) -> None:
    assert shares(text) == expected


@pytest.mark.parametrize(
    "text",
    ["a:b:2", "a:b:1.01", "a:b:-0.5", "a:b:0.5.5", "a:b:x", "a:b:", "a:0.5", "a:b:c:0.5", ":b:0.5", "a: :0.5", "clock 12:30:00"]
    + ["(a:b:0.5)", "[a:b:0.5]", "(x, a:b:0.5, y)", "{x, a:b:0.5}", "(x, a:b:0.5", "photo of a:b:0.5 y", r"a\:b:0.5", ""],
)
def test_what_is_no_blend(text: str) -> None:
    assert expand_blends(text) == [(text, 1.0)]


def test_a_blends_number_is_no_guidance_weight() -> None:
    assert split_prompt("x, a:b:0.5", "first") == [("x, a:b:0.5", 1.0)]
    assert split_prompt("a:b:0.5:1.5 AND c:d:0.5 :2", "first") == [("a:b:0.5", 1.5), (" c:d:0.5", 2.0)]
    assert split_prompt("a:b:2", "first") == [("a:b", 2.0)]
    assert split_prompt("cat:0.5", "first") == [("cat", 0.5)]
    assert split_prompt("(x, a:b:0.5", "first") == [("(x, a:b", 0.5)]
    assert split_prompt("a:b:0.5", "off") == [("a:b", 0.5)]


def test_no_recorded_prompt_holds_a_blend() -> None:
    for payload in golden("cases").glob("*/*/payload.json"):
        request = json.loads(payload.read_text("utf-8"))["payload"]
        for field in ("prompt", "negative_prompt", "hr_prompt", "hr_negative_prompt"):
            text = request.get(field)
            if isinstance(text, str):
                assert split_prompt(text, "first") == split_prompt(text, "off"), payload
                assert not find_blends(text), payload


def test_too_many_blends_are_refused_by_name() -> None:
    assert len(expand_blends(", ".join(f"a{i}:b{i}:0.5" for i in range(MAX_BLENDS)))) == 2**MAX_BLENDS
    with pytest.raises(PromptError, match="a4:b4:0.5"):
        expand_blends(", ".join(f"a{i}:b{i}:0.5" for i in range(MAX_BLENDS + 1)))


@given(prompts, st.sampled_from(["first", "second", "off"]))
def test_any_text_expands_to_shares_of_one(text: str, mode: str) -> None:
    try:
        variants = expand_blends(text, mode)
    except PromptError:
        assert len(find_blends(text, mode)) > MAX_BLENDS
        return
    assert sum(share for _, share in variants) == pytest.approx(1)
    assert all(share > 0 for _, share in variants)
    assert len({variant for variant, _ in variants}) == len(variants)
    if not find_blends(text, mode):
        assert variants == [(text, 1.0)]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_expand(name: str) -> None:
    assert expand_blends(HOSTILE[name])


def test_schedules_of_the_sides_are_merged() -> None:
    schedules = [prompt_schedule("[a:b:3]", 6), prompt_schedule("[c:d:5]", 6), prompt_schedule("e", 6)]
    merged = merge_schedules(schedules)
    assert merged == [(3, ("a", "c", "e")), (5, ("b", "c", "e")), (6, ("b", "d", "e"))]
    for evaluation in range(8):
        assert schedule_at(merged, evaluation) == tuple(schedule_at(schedule, evaluation) for schedule in schedules)


def test_mixing_conditionings() -> None:
    torch = pytest.importorskip("torch")
    short, long = torch.ones(2, 3), torch.arange(12.0).reshape(4, 3)
    assert torch.allclose(mix([short, long], [0.25, 0.75]), 0.25 + 0.75 * long)
    assert torch.allclose(mix([long, short * 2], [0.5, 0.5]), 0.5 * long + 1)
    assert torch.allclose(mix([torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])], [0.5, 0.5]), torch.tensor([2.0, 3.0]))
    assert mix([short], [1.0]) is short
    assert mix([short.half(), short.half()], [0.5, 0.5]).dtype == torch.float16
