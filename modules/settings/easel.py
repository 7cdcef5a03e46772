"""Settings that A1111 does not have."""

from __future__ import annotations

from .option import Option, radio, section

EASEL = section(
    "easel", "Easel", "sd",
    Option("prompt_blend", "first", "Blend syntax a:b:0.3", radio("first", "second", "off")),
)
