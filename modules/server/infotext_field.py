"""The request field `infotext`: what a text says fills the fields the caller left out (platform.md §3.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from modules.imaging.infotext_rules import PasteRules, StyleExtractor, parse_generation_parameters
from modules.prompt.attention import parse_prompt_attention
from modules.settings.infotext import overrides_from_infotext
from modules.settings.store import Options

from .models import StableDiffusionProcessingImg2Img, StableDiffusionProcessingTxt2Img

Body = TypeVar("Body", StableDiffusionProcessingTxt2Img, StableDiffusionProcessingImg2Img)
Table = tuple[tuple[str, str, Callable[[Any], Any]], ...]
"""(key in an infotext, field of the request, type)."""

_EVERYWHERE: Table = (
    ("Steps", "steps", int),
    ("Sampler", "sampler_name", str),
    ("Schedule type", "scheduler", str),
    ("Seed", "seed", int),
    ("Variation seed", "subseed", int),
    ("Variation seed strength", "subseed_strength", float),
    # A1111: the two sides are swapped on this way.
    ("Seed resize from-1", "seed_resize_from_h", int),
    ("Seed resize from-2", "seed_resize_from_w", int),
    ("Refiner", "refiner_checkpoint", str),
    ("Refiner switch at", "refiner_switch_at", float),
)
_TXT2IMG: Table = (
    # A1111: img2img takes none of these from an infotext.
    ("Prompt", "prompt", str),
    ("Negative prompt", "negative_prompt", str),
    ("Styles array", "styles", list),
    ("CFG scale", "cfg_scale", float),
    ("Size-1", "width", int),
    ("Size-2", "height", int),
    ("Batch size", "batch_size", int),
    ("Denoising strength", "denoising_strength", float),
)
_HIRES: Table = (
    ("Hires upscale", "hr_scale", float),
    ("Hires upscaler", "hr_upscaler", str),
    ("Hires steps", "hr_second_pass_steps", int),
    ("Hires resize-1", "hr_resize_x", int),
    ("Hires resize-2", "hr_resize_y", int),
    ("Hires checkpoint", "hr_checkpoint_name", str),
    ("Hires sampler", "hr_sampler_name", str),
    ("Hires schedule type", "hr_scheduler", str),
    ("Hires prompt", "hr_prompt", str),
    ("Hires negative prompt", "hr_negative_prompt", str),
)
SAME = ("Use same checkpoint", "Use same sampler", "Use same scheduler")


def paste_rules(options: Options, extract_styles: StyleExtractor | None) -> PasteRules:
    """How infotext is read under these settings."""
    return PasteRules(
        styles=options.infotext_styles,
        extract_styles=extract_styles,
        uses_attention=uses_attention,
        auto_backcompat=options.auto_backcompat,
        old_hires_size=options.use_old_hires_fix_width_height,
        skip_fields=tuple(options.infotext_skip_pasting),
    )


def uses_attention(prompt: str) -> bool:
    """Whether some part of a prompt has a weight of its own."""
    return any(weight != 1.0 and text != "BREAK" for text, weight in parse_prompt_attention(prompt))


def with_infotext(body: Body, options: Options, extract_styles: StyleExtractor | None) -> Body:
    """The body with the fields of its infotext; fields that the caller set win. Values that cannot be read are left out."""
    if not body.infotext:
        return body
    told = parse_generation_parameters(body.infotext, paste_rules(options, extract_styles))
    values = _values(told, _EVERYWHERE)
    if isinstance(body, StableDiffusionProcessingTxt2Img):
        values.update(_values(told, _TXT2IMG))
        if "Denoising strength" in told:
            values["enable_hr"] = True
            values.update(_values(told, _HIRES))
    given = {name: value for name, value in values.items() if name not in body.model_fields_set}
    overrides = {**overrides_from_infotext(told, options), **(body.override_settings or {})}
    return body.model_copy(update={**given, "override_settings": overrides})


def _values(told: Mapping[str, Any], table: Table) -> dict[str, Any]:
    values = {}
    for key, name, kind in table:
        text = told.get(key)
        if text is None or text in SAME:
            continue
        try:
            values[name] = kind(text)
        except (TypeError, ValueError):
            continue
    return values
