"""What an infotext means beyond its words: defaults, old forms and old versions (generation.md §8.3 rules 5-10)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from packaging.version import InvalidVersion, Version

from .infotext import parse_infotext

StyleExtractor = Callable[[str, str], tuple[list[str], str, str]]
"""(prompt, negative prompt) -> (names of the styles found, both prompts without them)."""

ATTENTION = re.compile(r"(?<!\\)[(\[]")

DEFAULTS: dict[str, Any] = {
    "Clip skip": "1",
    "Hires resize-1": 0,
    "Hires resize-2": 0,
    "Hires sampler": "Use same sampler",
    "Hires schedule type": "Use same scheduler",
    "Hires checkpoint": "Use same checkpoint",
    "Hires prompt": "",
    "Hires negative prompt": "",
    "Mask mode": "Inpaint masked",
    "Masked content": "original",
    "Inpaint area": "Whole picture",
    "Masked area padding": 32,
    "RNG": "GPU",
    "Schedule type": "Automatic",
    "Schedule max sigma": 0,
    "Schedule min sigma": 0,
    "Schedule rho": 0,
    "VAE Encoder": "Full",
    "VAE Decoder": "Full",
    "FP8 weight": "Disable",
    "Emphasis": "Original",
    "Refiner switch by sampling steps": False,
}
"""Values of fields that a picture leaves out; `Emphasis` only counts when a prompt uses attention."""


@dataclass(frozen=True)
class PasteRules:
    """What the settings say about reading infotext; the defaults are the settings' defaults."""

    styles: str = "Apply if any"
    extract_styles: StyleExtractor | None = None
    uses_attention: Callable[[str], bool] = lambda prompt: ATTENTION.search(prompt) is not None
    auto_backcompat: bool = True
    old_hires_size: bool = False
    skip_fields: tuple[str, ...] = ()


def parse_generation_parameters(text: str, rules: PasteRules | None = None) -> dict[str, Any]:
    """The fields of an infotext with both prompts, defaults and what old versions imply; values are mostly texts."""
    rules = rules or PasteRules()
    parsed = parse_infotext(text)
    fields = {**parsed.fields, "Prompt": parsed.prompt, "Negative prompt": parsed.negative_prompt}
    _apply_styles(fields, rules)
    _apply_hypernetwork(fields)
    _apply_defaults(fields, rules)
    _apply_old_hires(fields, rules)
    if rules.auto_backcompat:
        _apply_version(fields)
    for key in rules.skip_fields:
        fields.pop(key, None)
    return fields


def _apply_styles(fields: dict[str, Any], rules: PasteRules) -> None:
    """Take styles out of the prompts, unless the hires prompts have other ones."""
    if rules.styles == "Ignore" or rules.extract_styles is None:
        return
    plain = (fields["Prompt"], fields["Negative prompt"])
    found, *rest = rules.extract_styles(*plain)
    if _has_hires_styles(fields):
        hires = (fields.get("Hires prompt", plain[0]), fields.get("Hires negative prompt", plain[1]))
        hires_found, *hires_rest = rules.extract_styles(*hires)
        if hires_found != found:
            return
        for key, own, main in zip(("Hires prompt", "Hires negative prompt"), hires_rest, rest, strict=True):
            fields[key] = "" if own == main else own
    fields["Prompt"], fields["Negative prompt"] = rest
    if rules.styles == "Apply" or (rules.styles == "Apply if any" and found):
        fields["Styles array"] = found


def _has_hires_styles(fields: dict[str, Any]) -> bool:
    """Since 1.8.0-139 styles are merged into hires prompts too."""
    if "Hires prompt" not in fields and "Hires negative prompt" not in fields:
        return False
    version = parse_version(fields.get("Version"))
    return version is None or version > Version("1.8.0-139")


def _apply_hypernetwork(fields: dict[str, Any]) -> None:
    name = fields.get("Hypernet")
    if name is not None:
        fields["Prompt"] += f"<hypernet:{name}:{fields.get('Hypernet strength', '1.0')}>"


def _apply_defaults(fields: dict[str, Any], rules: PasteRules) -> None:
    if fields.get("FP8 weight", "Disable") != "Disable":
        fields.setdefault("Cache FP16 weight for LoRA", False)
    attention = rules.uses_attention(fields["Prompt"]) or rules.uses_attention(fields["Negative prompt"])
    for key, value in DEFAULTS.items():
        if key not in fields and (key != "Emphasis" or attention):
            fields[key] = value


def _apply_old_hires(fields: dict[str, Any], rules: PasteRules) -> None:
    """Pictures of the first hires fix give the final size and a first-pass size; now it is the other way round."""
    if rules.old_hires_size and _number(fields.get("Hires resize-1")):
        fields["Size-1"], fields["Size-2"] = fields["Hires resize-1"], fields["Hires resize-2"]
        fields["Hires resize-1"] = fields["Hires resize-2"] = 0
        return
    if "First pass size-1" not in fields or "First pass size-2" not in fields:
        return
    width, height = _number(fields.get("Size-1", 512)), _number(fields.get("Size-2", 512))
    first = _number(fields["First pass size-1"]), _number(fields["First pass size-2"])
    if 0 in first:
        first = _old_first_pass(width, height)
    fields["Size-1"], fields["Size-2"] = first
    fields["Hires resize-1"], fields["Hires resize-2"] = width, height


def _number(value: object) -> int:
    """A side in pixels; 0 for what is none."""
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _old_first_pass(width: int, height: int) -> tuple[int, int]:
    """About 512x512 pixels of the same shape, sides in multiples of 64."""
    if width <= 0 or height <= 0:
        return 512, 512
    scale = math.sqrt(512 * 512 / (width * height))
    return math.ceil(scale * width / 64) * 64, math.ceil(scale * height / 64) * 64


def _apply_version(fields: dict[str, Any]) -> None:
    version = parse_version(fields.get("Version"))
    if version is None:
        return
    if version < Version("1.6.0"):
        if "[" in fields["Prompt"]:
            fields["Old prompt editing timelines"] = True
        if fields.get("Sampler") in ("DDIM", "PLMS"):
            fields["Pad conds v0"] = True
    if version < Version("1.7.0-225"):
        fields["Downcast alphas_cumprod"] = True
    if version < Version("1.8.0") and "Refiner" in fields:
        fields["Refiner switch by sampling steps"] = True


def parse_version(text: str | None) -> Version | None:
    """A version such as `v1.7.0-225-gfeed1234`; what follows the second dash does not count. None if it is no version."""
    if not text:
        return None
    try:
        return Version("-".join(text.split("-")[:2]))
    except InvalidVersion:
        return None
