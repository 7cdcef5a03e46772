"""The box around a mask: recorded boxes, and what holds for every one."""

from __future__ import annotations

import json

from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modules.imaging.crop_region import crop_region, expand_crop_region

SIDE = 200
sizes = st.integers(1, 1000)


def test_boxes_are_the_recorded_ones() -> None:
    for name, want in json.loads(golden("pure", "crop_region.json").read_text()).items():
        mask_name, padding = name.split(" pad=")
        with Image.open(golden("inputs", f"{'mask_black' if mask_name == 'black' else mask_name}.png")) as mask:
            box = crop_region(mask.convert("L"), int(padding))
            assert box == (tuple(want["v2"]) if want["v2"] else None), name
            for key, expanded in want.items():
                if key.startswith("expand_"):
                    width, height = map(int, key.removeprefix("expand_").split("x"))
                    assert expand_crop_region(box, width, height, *mask.size) == tuple(expanded), (name, key)


@given(*[st.integers(0, SIDE - 1)] * 4, sizes, sizes, st.integers(0, 50))
def test_expansion_contains_the_box_and_stays_inside(a: int, b: int, c: int, d: int, width: int, height: int, padding: int) -> None:
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (min(a, b), min(c, d), max(a, b) + 1, max(c, d) + 1))
    box = crop_region(mask, padding)
    assert box is not None
    left, top, right, bottom = expand_crop_region(box, width, height, SIDE, SIDE)
    assert 0 <= left <= box[0] and 0 <= top <= box[1]
    assert SIDE >= right >= box[2] and SIDE >= bottom >= box[3]


def test_nothing_masked_is_no_box() -> None:
    assert crop_region(Image.new("L", (8, 8)), 4) is None
