"""Setting, checking, keeping and freezing settings."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.settings.errors import BadValue, FrozenSetting, SettingError, SettingsFileError, UnknownSetting
from modules.settings.schema import SCHEMA
from modules.settings.store import Freeze, Options, SettingsView


def test_attributes_read_values_and_write_checked_ones() -> None:
    options = Options()
    assert options.jpeg_quality == 80
    options.jpeg_quality = 90
    assert options.data["jpeg_quality"] == 90
    with pytest.raises(AttributeError):
        _ = options.no_such_setting
    assert getattr(options, "no_such_setting", 5) == 5


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("randn_source", "XPU", "one of GPU, CPU, NV"),
        ("jpeg_quality", "90", "a whole number (from 1 to 100)"),
        ("jpeg_quality", 90.5, "a whole number"),
        ("jpeg_quality", True, "a whole number"),
        ("s_churn", math.nan, "a number (from 0.0 to 100.0)"),
        ("tiling", "yes", "true or false"),
        ("samples_format", None, "a text"),
        ("hidden_tabs", "txt2img", "a list of texts"),
        ("profiling_activities", ["TPU"], "CPU, CUDA"),
    ],
)
def test_bad_values_name_the_key_and_what_is_allowed(key: str, value: object, words: str) -> None:
    options = Options()
    with pytest.raises(BadValue) as caught:
        options.set(key, value)
    assert key in str(caught.value) and words in str(caught.value)
    assert options.data[key] == SCHEMA[key].default


def test_numbers_keep_their_form_where_the_infotext_shows_it() -> None:
    options = Options()
    options.set("s_churn", 10)
    options.set("CLIP_stop_at_last_layers", 2.0)
    assert repr(options.s_churn) == "10" and repr(options.CLIP_stop_at_last_layers) == "2"


def test_unknown_key_names_the_closest() -> None:
    with pytest.raises(UnknownSetting, match="did you mean 'jpeg_quality'"):
        Options().set("jpg_quality", 3)


@given(st.sampled_from(sorted(SCHEMA)), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()))
def test_any_value_is_stored_whole_or_refused(key: str, value: object) -> None:
    options = Options()
    before = options.data.get(key)
    try:
        changed = options.set(key, value)
    except SettingError as error:
        assert error.key == key and key in str(error)
        assert options.data.get(key) == before
    else:
        assert not changed or options.data[key] == value


def test_the_file_keeps_given_values_and_unknown_keys(tmp_path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"extension_key": {"a": [1]}, "jpeg_quality": 70, "outdir_samples": "그림"}), encoding="utf-8")
    options = Options.load(path)
    options.set("tiling", True)
    options.save()
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert stored == {"extension_key": {"a": [1]}, "jpeg_quality": 70, "outdir_samples": "그림", "tiling": True}
    assert "그림" in path.read_text(encoding="utf-8")
    assert sorted(os.listdir(tmp_path)) == ["config.json"]


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe\x00", b"[" * 100_000, b""])
def test_a_broken_file_is_moved_aside(tmp_path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    options = Options.load(path)
    assert options.jpeg_quality == 80
    assert (tmp_path / "tmp" / "config.json").read_bytes() == content
    options.set("jpeg_quality", 81)
    options.save()
    assert json.loads(path.read_text()) == {"jpeg_quality": 81}


def test_wrong_types_in_the_file_fall_back(tmp_path, caplog) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"jpeg_quality": "much", "samples_format": "jpg"}')
    options = Options.load(path)
    assert options.jpeg_quality == 80 and options.samples_format == "jpg"
    assert "jpeg_quality" in caplog.text


def test_old_keys_are_migrated(tmp_path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"quicksettings": "sd_model_checkpoint, sd_vae", "sd_vae_as_default": true}')
    options = Options.load(path)
    assert options.quicksettings_list == ["sd_model_checkpoint", "sd_vae"]
    assert options.sd_vae_overrides_per_model_preferences is False


def test_a_file_that_cannot_be_written_is_said(tmp_path) -> None:
    options = Options(tmp_path / "config.json" / "below-a-file")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SettingsFileError, match="could not write"):
        options.save()


def test_freezing() -> None:
    everything = Options(freeze=Freeze(everything=True))
    with pytest.raises(FrozenSetting, match="--freeze-settings"):
        everything.set("tiling", True)
    assert everything.set("tiling", False) is False
    sections = Options(freeze=Freeze(sections=frozenset({"VAE"})))
    with pytest.raises(FrozenSetting, match="section 'VAE'"):
        sections.set("sd_vae", "None")
    assert sections.set("tiling", True)
    with pytest.raises(FrozenSetting):
        Options(freeze=Freeze(keys=frozenset({"tiling"}))).set("tiling", True)


def test_the_api_may_not_change_its_own_limits() -> None:
    options = Options()
    assert options.set("api_forbid_local_requests", False, is_api=True) is False
    assert options.api_forbid_local_requests is True


def test_callbacks_run_and_a_failing_one_restores() -> None:
    options = Options()
    seen: list[bool] = []
    options.onchange("tiling", lambda: seen.append(options.tiling))
    options.set("tiling", True)
    options.set("tiling", True)
    assert seen == [True]

    def fail() -> None:
        raise RuntimeError("cannot")

    options.onchange("tiling", fail)
    with pytest.raises(RuntimeError):
        options.set("tiling", False)
    assert options.tiling is True


def test_a_view_is_a_copy_with_overrides() -> None:
    options = Options()
    view = SettingsView(options, {"tiling": True})
    options.set("jpeg_quality", 10)
    assert view.tiling is True and view.jpeg_quality == 80 and options.tiling is False
    with pytest.raises(UnknownSetting):
        SettingsView(options, {"nothing": 1})
    assert not hasattr(view, "nothing")


def test_importing_is_light() -> None:
    code = "import sys, modules.settings.store; sys.exit(any(name in sys.modules for name in ('torch', 'gradio', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
