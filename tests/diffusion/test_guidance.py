"""Guidance formulas and the decision to leave the negative prompt out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modules.diffusion.guidance import combine, combine_edit, skip_infotext, skip_uncond, with_stand_in_uncond

ROWS = torch.tensor([1.0, 2.0, 4.0, 10.0, 20.0]).view(5, 1, 1, 1)
PARTS = [[(0, 1.0), (1, 0.5)], [(2, -1.0)]]


def test_composable_guidance() -> None:
    combined = combine(ROWS, PARTS, 2.0).flatten().tolist()
    assert combined == [10 + (1 - 10) * 2 + (2 - 10) * 0.5 * 2, 20 - (4 - 20) * 2]


def test_stand_in_for_a_skipped_negative() -> None:
    rows = with_stand_in_uncond(ROWS[:3], PARTS)
    assert rows.flatten().tolist() == [1, 2, 4, 1, 4]
    assert combine(rows, PARTS, 1.0).flatten().tolist() == [1 + 0.5 * (2 - 1), 4]


@given(st.floats(-30, 30))
def test_scale_one_is_the_prompt_alone(scale: float) -> None:
    rows = torch.tensor([[scale], [5.0]]).view(2, 1, 1, 1)
    assert combine(rows, [[(0, 1.0)]], 1.0).item() == pytest.approx(scale, abs=1e-5)


def test_edit_guidance() -> None:
    assert combine_edit(torch.tensor([3.0, 2.0, 1.0]).view(3, 1, 1, 1), 7.0, 1.5).item() == 1 + 7 * 1 + 1.5 * 1


@pytest.mark.parametrize(
    ("step", "sigma", "options", "reason"),
    [
        (0, 14.0, {}, None),
        (0, 14.0, {"skip_early_cond": 0.1}, "early"),
        (2, 14.0, {"skip_early_cond": 0.1}, "early"),
        (3, 14.0, {"skip_early_cond": 0.1}, None),
        (4, 0.5, {"s_min_uncond": 1.0}, None),
        (5, 0.5, {"s_min_uncond": 1.0}, "ngms"),
        (5, 1.0, {"s_min_uncond": 1.0}, None),
        (4, 0.5, {"s_min_uncond": 1.0, "s_min_uncond_all": True}, "ngms"),
        (5, 0.5, {"s_min_uncond": 1.0, "is_edit_model": True}, None),
        (1, 0.5, {"s_min_uncond": 1.0, "skip_early_cond": 0.5}, "early"),
    ],
)
def test_skipping(step: int, sigma: float, options: dict, reason: str | None) -> None:
    assert skip_uncond(step, 20, sigma, **options) == reason


def test_skipping_in_the_infotext() -> None:
    assert skip_infotext("early", 0.1, 2.0, True) == {"Skip Early CFG": 0.1}
    assert skip_infotext("ngms", 0.1, 2.0, False) == {"NGMS": 2.0}
    assert skip_infotext("ngms", 0.1, 2.0, True) == {"NGMS": 2.0, "NGMS all steps": True}
    assert skip_infotext(None, 0.1, 2.0, True) == {}
