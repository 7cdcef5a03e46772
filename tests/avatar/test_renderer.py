"""The renderer: the same for the same seed, and every attribute shows in the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tools.avatar import attributes as table
from tools.avatar.attributes import Landscape, Portrait, sample_attributes
from tools.avatar.dataset import draw, from_json, to_json
from tools.avatar.render import render

BASE = Portrait("girl", "straight", "long", "brown", None, "blue", "smile", "shirt jeans", "gray", (), (), "white")
FIELDS = {
    "gender": table.GENDERS,
    "style": table.HAIR_STYLES,
    "length": table.LENGTHS,
    "hair": table.COLORS,
    "eyes": table.COLORS,
    "expression": table.EXPRESSIONS,
    "outfit": table.OUTFITS,
    "cloth": table.COLORS,
    "background": table.COLORS,
    "hair2": (None, "blue", "pink"),
    "props": ((), *((prop,) for prop in table.PROPS)),
    "traits": ((), *((trait,) for trait in table.TRAITS)),
}


def test_the_dictionary_is_covered() -> None:
    counts = [
        len(values) for values in (table.HAIR_STYLES, table.COLORS, table.EXPRESSIONS, table.OUTFITS, table.PROPS)
    ]
    assert counts == [15, 13, 12, 15, 9]


def test_same_seed_same_pixels_other_seed_other_pixels() -> None:
    one, again, other = (render(BASE, seed).pixels for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert (one != other).mean() > 0.05


@pytest.mark.parametrize("field", FIELDS)
def test_each_value_changes_pixels(field: str) -> None:
    drawn = [render(replace(BASE, **{field: value}), 5).pixels.astype(int) for value in FIELDS[field]]
    for i, first in enumerate(drawn):
        for j, second in enumerate(drawn[:i]):
            changed = (abs(first - second).max(-1) > 24).sum()
            assert changed > 20, (field, FIELDS[field][i], FIELDS[field][j])


def test_landscapes_differ_and_have_no_eyes() -> None:
    drawn = [render(Landscape(place, time), 1) for place in table.PLACES for time in table.TIMES]
    assert all(picture.eyes == () for picture in drawn)
    flat = [picture.pixels.astype(int) for picture in drawn]
    assert all(abs(a - b).mean() > 3 for i, a in enumerate(flat) for b in flat[:i])


def test_irises_have_their_colour_and_size() -> None:
    picture = render(replace(BASE, eyes="green", style="swept back", expression="smile"), 8)
    red, green, blue = (picture.pixels[..., channel].astype(int) for channel in range(3))
    iris = (green > red + 40) & (green > blue + 30)
    assert 14 * 14 < iris.sum() < 1200
    for x, y in picture.eyes:
        assert iris[int(y * 128) - 6 : int(y * 128) + 6, int(x * 128) - 6 : int(x * 128) + 6].any()


def test_drawing_scales_with_the_size() -> None:
    small, large = render(BASE, 11, 64).pixels, render(BASE, 11, 128).pixels
    halved = large.reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert abs(halved - small).mean() < 8


def test_data_set_pictures_depend_on_seed_and_index_alone() -> None:
    attributes, picture = draw(5, 2, 32)
    draw(5, 3, 32)
    again, same = draw(5, 2, 32)
    assert attributes == again and np.array_equal(picture.pixels, same.pixels)
    assert from_json(to_json(attributes)) == attributes


def test_sampled_attributes_exclude_what_excludes_itself() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        person = sample_attributes(rng)
        if isinstance(person, Portrait):
            on_head = [prop for prop in person.props if prop in table.HEAD_PROPS]
            assert len(on_head) <= (0 if person.outfit in table.HATTED_OUTFITS else 1)
            assert person.hair2 != person.hair
