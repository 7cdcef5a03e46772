"""Writing and reading infotext against what A1111 wrote and read."""

from __future__ import annotations

import json

import pytest
from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st

from modules.imaging.infotext import format_infotext, parse_infotext, quote, unquote
from modules.imaging.infotext_rules import PasteRules, parse_generation_parameters, parse_version


def test_quoting() -> None:
    for plain, (quoted, back) in json.loads(golden("pure", "infotext_quote.json").read_text()).items():
        assert quote(plain) == quoted
        assert unquote(quoted) == back


@given(st.text())
def test_quoting_comes_back(text: str) -> None:
    assert unquote(quote(text)) == text or (text.startswith('"') and text.endswith('"'))


def test_order_none_and_bare_keys() -> None:
    fields = {"Steps": 20, "CFG scale": 7.0, "VAE": None, "Tiling": True, "same": "same", "Names": "a: b, c"}
    assert format_infotext("cat\ndog", "", fields) == 'cat\ndog\nSteps: 20, CFG scale: 7.0, Tiling: True, same, Names: "a: b, c"'
    assert format_infotext("", "bad", {}) == "Negative prompt: bad"


def test_recorded_infotexts_come_back() -> None:
    """Reading each recorded infotext and writing what was read gives the same text."""
    texts = {text for path in sorted(golden("cases").glob("*/*/info.json")) for text in json.loads(path.read_text())["infotexts"]}
    if not texts:
        pytest.skip("no recorded infotexts here")
    for text in texts:
        parsed = parse_infotext(text)
        assert format_infotext(parsed.prompt, parsed.negative_prompt, _sizes_joined(parsed.fields)) == stripped_lines(text)


def stripped_lines(text: str) -> str:
    return "\n".join(line.strip() for line in text.split("\n"))


def _sizes_joined(fields: dict) -> dict:
    joined: dict = {}
    for key, value in fields.items():
        if key.endswith("-1") and f"{key[:-2]}-2" in fields:
            joined[key[:-2]] = f"{value}x{fields[key[:-2] + '-2']}"
        elif not (key.endswith("-2") and f"{key[:-2]}-1" in fields):
            joined[key] = value
    return joined


def test_parsing_as_recorded() -> None:
    for text, modes in json.loads(golden("pure", "parse_generation_parameters.json").read_text()).items():
        for mode, answer in modes.items():
            assert parse_generation_parameters(text, PasteRules(styles=mode)) == answer["parsed"], text


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    fields = parse_generation_parameters(text)
    assert "Prompt" in fields and "Negative prompt" in fields


ODD = ["Steps: 5, First pass size: 512x0, Size: 0x0",
       "Steps: 1, First pass size: 0x0, Size: 0x7",
       "Steps: 1, First pass size: 0x0, Size-1: x"]


@pytest.mark.parametrize("text", ODD)
def test_odd_sizes_are_read(text: str) -> None:
    assert parse_generation_parameters("a\n" + text)["Prompt"] == "a"


def test_styles_are_taken_out() -> None:
    def extract(prompt: str, negative: str) -> tuple[list[str], str, str]:
        return (["oil"], prompt.removesuffix(", oil"), negative) if prompt.endswith(", oil") else ([], prompt, negative)

    line = "\nSteps: 1, Seed: 2, Size: 8x8"
    fields = parse_generation_parameters("cat, oil" + line, PasteRules(extract_styles=extract))
    assert (fields["Prompt"], fields["Styles array"]) == ("cat", ["oil"])
    discarded = parse_generation_parameters("cat, oil" + line, PasteRules("Discard", extract))
    assert discarded["Prompt"] == "cat" and "Styles array" not in discarded
    assert parse_generation_parameters("cat, oil" + line, PasteRules("Ignore", extract))["Prompt"] == "cat, oil"
    assert parse_generation_parameters("cat" + line, PasteRules("Apply", extract))["Styles array"] == []
    other = parse_generation_parameters("cat, oil" + line + ', Hires prompt: "dog"', PasteRules(extract_styles=extract))
    assert other["Prompt"] == "cat, oil"
    same = parse_generation_parameters("cat, oil" + line + ', Hires prompt: "dog, oil"', PasteRules(extract_styles=extract))
    assert (same["Prompt"], same["Hires prompt"]) == ("cat", "dog")


def test_old_versions() -> None:
    line = "[a:b:3]\nSteps: 1, Sampler: DDIM, Refiner: x, Version: {}"
    old = parse_generation_parameters(line.format("v1.5.9"))
    assert old["Old prompt editing timelines"] and old["Pad conds v0"] and old["Downcast alphas_cumprod"]
    assert old["Refiner switch by sampling steps"] is True
    new = parse_generation_parameters(line.format("v1.10.1"))
    assert "Pad conds v0" not in new and new["Refiner switch by sampling steps"] is False
    assert "Downcast alphas_cumprod" not in parse_generation_parameters(line.format("v1.7.0-226-gabcdef"))
    off = parse_generation_parameters(line.format("v1.5.9"), PasteRules(auto_backcompat=False))
    assert "Downcast alphas_cumprod" not in off


def test_skipped_fields_and_hypernetworks() -> None:
    fields = parse_generation_parameters("a\nSteps: 1, Seed: 3, Hypernet: x, CFG scale: 2", PasteRules(skip_fields=("Seed",)))
    assert "Seed" not in fields and fields["Prompt"] == "a<hypernet:x:1.0>"


def test_versions_that_are_none() -> None:
    assert parse_version(None) is None and parse_version("f0.0.17v1.8.0rc") is None and parse_version("") is None


