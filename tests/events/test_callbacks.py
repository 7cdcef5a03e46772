"""The registry of callbacks: order, containment, names."""

from __future__ import annotations

import logging

import pytest

from modules import events
from modules.events import AfterCFGCallbackParams, Callbacks, MaskBlendArgs


def test_callbacks_fire_in_order_of_registration_and_may_change_what_they_get() -> None:
    callbacks, seen = Callbacks(), []
    callbacks.add("cfg_after_cfg", lambda params: seen.append(params.x))
    callbacks.add("cfg_after_cfg", lambda params: setattr(params, "x", 2))
    callbacks.add("cfg_after_cfg", lambda params: seen.append(params.x))
    callbacks.fire("cfg_after_cfg", AfterCFGCallbackParams(1, 0, 3))
    assert seen == [1, 2]


def test_an_exception_is_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    callbacks = Callbacks()
    callbacks.add("before_ui", lambda: 1 / 0)
    callbacks.add("before_ui", lambda: "fine")
    with caplog.at_level(logging.ERROR):
        assert callbacks.fire("before_ui") == ["fine"]
    assert "test_callbacks.py/before_ui" in caplog.text


def test_two_categories_fire_backwards() -> None:
    callbacks = Callbacks()
    for category in ("before_ui", "script_unloaded", "model_loaded"):
        for number in (1, 2, 3):
            callbacks.add(category, lambda *args, number=number: number)
    assert callbacks.fire("before_ui") == callbacks.fire("script_unloaded") == [3, 2, 1]
    assert callbacks.fire("model_loaded", None) == [1, 2, 3]


def test_names_are_those_of_the_registering_file_and_never_equal() -> None:
    callbacks = Callbacks()
    for name in (None, None, "special"):
        callbacks.add("image_saved", print, name)
    names = [entry.name for entry in callbacks.of("image_saved")]
    assert names == [
        "base/test_callbacks.py/image_saved",
        "base/test_callbacks.py/image_saved-1",
        "base/test_callbacks.py/image_saved/special",
    ]
    assert {entry.script for entry in callbacks.of("image_saved")} == {__file__}


def test_the_lists_of_the_map_may_be_changed_from_outside() -> None:
    callbacks = Callbacks()
    callbacks.add("model_loaded", lambda model: 1)
    assert callbacks.fire("model_loaded", None) == [1]
    callbacks.map["callbacks_model_loaded"].clear()
    assert callbacks.fire("model_loaded", None) == []


def test_an_order_may_be_imposed() -> None:
    callbacks = Callbacks()
    callbacks.order = lambda category, found: sorted(found, key=lambda entry: entry.name)
    callbacks.add("image_grid", lambda params: "b", "b")
    callbacks.add("image_grid", lambda params: "a", "a")
    assert callbacks.fire("image_grid", None) == ["a", "b"]


def test_an_unknown_category_is_an_error() -> None:
    with pytest.raises(KeyError):
        events.fire("no_such_thing")


def test_the_final_blend_has_no_denoiser() -> None:
    assert MaskBlendArgs(0, 0, 0, 0, 0).is_final_blend
    assert not MaskBlendArgs(0, 0, 0, 0, 0, denoiser=object(), sigma=1).is_final_blend
