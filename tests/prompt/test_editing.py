"""Prompt editing and alternation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_cases import HOSTILE, prompts, recorded

from modules.prompt.editing import get_learned_conditioning_prompt_schedules, parse, prompt_schedule, schedule_at, switch_step


def recorded_arguments(name: str) -> tuple[int, int | None, bool]:
    """`steps10_hires7_old` as (10, 7, True)."""
    steps, *rest = name.removeprefix("steps").removesuffix("_old").split("_hires")
    return int(steps), int(rest[0]) if rest else None, name.endswith("_old")


def test_equal_to_the_recordings() -> None:
    for text, answers in recorded("prompt_schedules").items():
        for name, schedule in answers.items():
            assert get_learned_conditioning_prompt_schedules([text], *recorded_arguments(name)) == [schedule], (text, name)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("x [cat:dog:4] y", [(4, "x cat y"), (10, "x dog y")]),
        ("[cat:4]", [(4, ""), (10, "cat")]),
        ("[:cat:4]", [(4, ""), (10, "cat")]),
        ("[cat::4]", [(4, "cat"), (10, "")]),
        ("[::4]", [(4, ""), (10, "")]),
        ("[:4]", [(4, ""), (10, "")]),
        ("[cat:dog: 4 ]", [(4, "cat"), (10, "dog")]),
        ("[cat : dog:4]", [(4, "cat "), (10, " dog")]),
        ("[cat:dog:.5]", [(5, "cat"), (10, "dog")]),
        ("[cat:dog:5.]", [(10, "cat")]),
        ("[cat:dog:1.0]", [(10, "cat")]),
        ("[cat:dog:20]", [(10, "cat")]),
        ("[cat:dog:1e1]", [(10, "cat")]),
        ("[cat:dog:1e999]", [(10, "cat")]),
        ("[cat:dog:1]", [(1, "cat"), (10, "dog")]),
        ("[cat:dog:0]", [(10, "dog")]),
        ("[cat:dog:-3]", [(10, "dog")]),
        ("[cat:dog:-0.3]", [(10, "dog")]),
        ("[[cat:dog:3]:cow:6]", [(3, "cat"), (6, "dog"), (10, "cow")]),
        ("[[cat:dog:6]:cow:3]", [(3, "cat"), (6, "cow"), (10, "cow")]),
        ("[cat:(dog:1.2):5]", [(5, "cat"), (10, "(dog:1.2)")]),
        ("[cat:dog:5]:7]", [(5, "cat:7]"), (10, "dog:7]")]),
        ("x ] y [cat:dog:5]", [(5, "x ] y cat"), (10, "x ] y dog")]),
        ("((a][:b:c [d:3]", [(3, "((a][:b:c "), (10, "((a][:b:c d")]),
        (r"[a\:b:c:5]", [(5, r"a\:b"), (10, "c")]),
        ("[fe|]male", [(step, "female" if step % 2 else "male") for step in range(1, 11)]),
        ("[fe|||]male", [(step, "female" if step % 4 == 1 else "male") for step in range(1, 11)]),
        ("[[a|b]|c]", [(step, "a" if step % 2 else "c") for step in range(1, 11)]),
        ("[a|[b:c:5]]", [(step, "a" if step % 2 else "b" if step <= 5 else "c") for step in range(1, 11)]),
    ],
)
def test_check_table(text: str, schedule: list) -> None:
    assert prompt_schedule(text, 10) == schedule


@pytest.mark.parametrize(
    "text",
    ["[cat:dog:5] | z", "[cat|dog:5]", "[a|b:c:5]", "(a|b) [a:b:5]", "[cat:dog:5] \\", "[cat:dog:5] \\\n", "[a:b:5] [c|d", "[a|b) [c:d:5]"]
    + ["[cat:dog:cow:5]", "[cat:dog:x]", "[cat:dog:5", "(cat:dog:5)", "[(a:b:c):d:5]", "[(a:d:5]", "[a]b:c:5]"]
    + [r"\[cat:dog:5\]", "[a b:5 c]", "[a:b:5:6]", "[a:b:5.6.7]"],
)
def test_texts_without_editing_stay_as_they_are(text: str) -> None:
    assert prompt_schedule(text, 10) == [(10, text)]


@pytest.mark.parametrize(
    ("when", "old", "schedule"),
    [
        ("1.5", False, [(3, "cat"), (6, "dog")]),
        ("15", False, [(5, "cat"), (6, "dog")]),
        (".5", False, [(6, "dog")]),
        ("10", False, [(6, "dog")]),
        (".5", True, [(5, "cat"), (10, "dog")]),
        ("1.5", True, [(1, "cat"), (10, "dog")]),
        ("15", True, [(10, "cat")]),
    ],
)
def test_second_pass(when: str, old: bool, schedule: list) -> None:
    assert prompt_schedule(f"[cat:dog:{when}]", 10, 6, old) == schedule


def test_the_first_entry_lasts_one_longer_and_comes_back_at_the_end() -> None:
    schedule = prompt_schedule("[a:b:5]", 10)
    assert "".join(schedule_at(schedule, evaluation) for evaluation in range(13)) == "aaaaaabbbbbaa"
    alternating = prompt_schedule("[a|b|c]", 4)
    assert "".join(schedule_at(alternating, evaluation) for evaluation in range(6)) == "aabcaa"


@given(prompts, st.integers(1, 12), st.none() | st.integers(1, 12), st.booleans())
def test_any_text_has_a_schedule(text: str, steps: int, hires_steps: int | None, old: bool) -> None:
    schedule = prompt_schedule(text, steps, hires_steps, old)
    ends = [end for end, _ in schedule]
    assert ends == sorted(set(ends))
    assert ends[0] >= 1
    assert ends[-1] == (steps if hires_steps is None or old else hires_steps)
    assert all(set(piece) <= set(text) for _, piece in schedule)


@given(prompts)
def test_text_without_constructs_is_unchanged(text: str) -> None:
    parsed = parse(text)
    if parsed is None or not parsed.constructs:
        assert prompt_schedule(text, 7) == [(7, text)]


@given(st.floats(), st.integers(0, 50), st.none() | st.integers(0, 50), st.booleans())
def test_any_number_is_a_step(number: float, steps: int, hires_steps: int | None, old: bool) -> None:
    assert -1 <= switch_step(repr(number), steps, hires_steps, old) <= max(steps, hires_steps or 0)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_have_a_schedule(name: str) -> None:
    assert prompt_schedule(HOSTILE[name], 3)


def test_deep_nesting_is_evaluated() -> None:
    assert prompt_schedule("[" * 20_000 + "cat:dog:2]" + ":x:3]" * 19_999, 4) == [(2, "cat"), (3, "dog"), (4, "x")]
