"""The table of settings against the recorded list of A1111."""

from __future__ import annotations

import json

from golden_data import golden

from modules.settings.schema import CATEGORIES, INFOTEXT_NAMES, SCHEMA

CHANGED_FOR_RECORDING = {"sd_model_checkpoint", "randn_source", "sd_checkpoint_hash"}


def test_defaults_are_those_recorded() -> None:
    recorded = json.loads(golden("lists", "options.json").read_text())
    wrong = {
        key: (value, SCHEMA[key].default if key in SCHEMA else "missing")
        for key, value in recorded.items()
        if key not in CHANGED_FOR_RECORDING and (key not in SCHEMA or (SCHEMA[key].stored and SCHEMA[key].default != value))
    }
    assert not wrong
    assert SCHEMA["randn_source"].default == "GPU"


def test_labels_are_those_of_the_page() -> None:
    labels = dict(_labels(json.loads(golden("lists", "ui.json").read_text())))
    wrong = {key: (label, SCHEMA[key].label) for key, label in labels.items() if key in SCHEMA and label != SCHEMA[key].label}
    assert len(labels) > 300
    assert not wrong


def _labels(node: object):
    if isinstance(node, dict):
        ident = node.get("elem_id")
        if isinstance(ident, str) and ident.startswith("setting_") and node.get("label"):
            yield ident.removeprefix("setting_"), node["label"]
        for child in node.values():
            yield from _labels(child)
    elif isinstance(node, list):
        for child in node:
            yield from _labels(child)


def test_every_option_is_complete() -> None:
    for key, option in SCHEMA.items():
        assert option.section[2] in CATEGORIES, key
        assert option.label or not option.stored, key
        if option.control.choices and isinstance(option.default, str):
            assert option.default in option.control.choices, key


def test_infotext_names_lead_to_settings() -> None:
    assert INFOTEXT_NAMES["Clip skip"] == "CLIP_stop_at_last_layers"
    assert len(INFOTEXT_NAMES) == 51
