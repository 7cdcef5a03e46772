"""The size of the second pass, against the original's."""

from __future__ import annotations

import json
import re

from golden_data import golden

from modules.pipeline.hires import target_resolution
from modules.pipeline.processing import StableDiffusionProcessingTxt2Img


def test_every_recorded_size() -> None:
    for name, expected in json.loads(golden("pure", "hires_target.json").read_text("utf-8")).items():
        width, height, scale, x, y = re.findall(r"[\d.]+", name)
        p = StableDiffusionProcessingTxt2Img(
            width=int(width), height=int(height), enable_hr=True, hr_scale=float(scale), hr_resize_x=int(x), hr_resize_y=int(y)
        )
        told = target_resolution(p)
        assert [p.hr_upscale_to_x, p.hr_upscale_to_y] == expected["upscale_to"], name
        assert [p.truncate_x, p.truncate_y] == expected["truncate"], name
        assert told == expected["extra"], name
