"""What people type for an axis (generation.md §10.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.extend.plot_grid import drawing_order
from modules.extend.plot_values import decimal_numbers, join_values, split_values, whole_numbers


def test_values_are_one_line_of_csv() -> None:
    assert split_values('cat,"a, dog","x ""y""", , last ') == ["cat", "a, dog", 'x "y"', "last"]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1), max_size=5))
def test_joined_values_split_into_themselves(values: list[str]) -> None:
    assert split_values(join_values(values)) == values


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1-4", [1, 2, 3, 4]),
        ("1-7(+3)", [1, 4, 7]),
        ("5-1 (-1)", [5, 4, 3]),
        ("2-10[3]", [2, 6, 10]),
        ("-3", [-3]),
        ("-3--1", [-3, -2, -1]),
    ],
)
def test_whole_numbers(text: str, numbers: list[int]) -> None:
    assert whole_numbers([text]) == numbers


@pytest.mark.parametrize(
    ("text", "numbers"), [("1-3(+0.5)", [1, 1.5, 2, 2.5, 3]), ("0-1 [3]", [0, 0.5, 1]), ("3.5", [3.5]), ("1-2", [1, 2])]
)
def test_decimal_numbers(text: str, numbers: list[float]) -> None:
    assert decimal_numbers([text]) == pytest.approx(numbers)


def test_nonsense_is_an_error() -> None:
    with pytest.raises(ValueError, match="abc"):
        whole_numbers(["abc"])


@pytest.mark.parametrize(
    ("costs", "order"), [((0, 0, 0), "zyx"), ((1, 0, 0), "xzy"), ((0.5, 1, 0), "yxz"), ((1, 0.5, 0), "xyz"), ((1, 0, 1), "zxy")]
)
def test_what_is_dear_to_change_changes_least(costs: tuple[float, float, float], order: str) -> None:
    assert drawing_order(costs) == order
