"""Infotext fields as overrides of settings."""

from __future__ import annotations

import json

from golden_data import golden

from modules.settings.infotext import overrides_from_infotext
from modules.settings.store import Options


def test_overrides_as_recorded() -> None:
    options = Options()
    options.set("randn_source", "CPU")
    for text, modes in json.loads(golden("pure", "parse_generation_parameters.json").read_text()).items():
        answer = modes["Ignore"]
        assert overrides_from_infotext(answer["parsed"], options) == answer["override_settings_dict"], text


def test_the_checkpoint_follows_only_when_asked() -> None:
    options = Options()
    fields = {"Model hash": "abc", "Clip skip": "x", "Tiling": "False"}
    assert overrides_from_infotext(fields, options) == {}
    options.set("disable_weights_auto_swap", False)
    assert overrides_from_infotext(fields, options) == {"sd_model_checkpoint": "abc"}
