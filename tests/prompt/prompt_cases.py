"""What the tests of the prompt language share: the recordings, hostile texts, and strategies for generated ones."""

from __future__ import annotations

import json
from typing import Any

from golden_data import golden
from hypothesis import strategies as st

PIECES = ["[", "]", "(", ")", ":", "|", "\\", ",", " ", "\n", "#", "<", ">", "a", "cat ", "3", "0.5", ":5]", ":1.2)", "[a|b]", "[a:b:2]"]
PIECES += ["BREAK", "AND", " AND ", "<lora:x:1>", "a:b:0.5", "-", ".", "1e999", "é", "猫", "\ud800", "\x00"]

prompts = st.lists(st.sampled_from(PIECES), max_size=16).map("".join) | st.text(max_size=40)

HOSTILE = {
    "round open": "(" * 10_000,
    "square open": "[" * 10_000,
    "nested": "(" * 10_000 + "cat" + ")" * 10_000,
    "nested with text": "(a" * 5_000 + ")" * 5_000,
    "nested editing": "[a:" * 10_000 + "b" + ":3]" * 10_000,
    "nested alternation": "[a|" * 10_000 + "b" + "]" * 10_000,
    "open alternation": "[a|b" * 10_000,
    "unclosed tags": "<a:" * 30_000,
    "blanks": " " * 100_000 + "BREAKx",
    "colons": ": " * 50_000,
    "weight of blanks": "(a:" + " " * 100_000 + "1",
    "backslashes": "\\" * 100_000,
    "hashes": "\n#" * 50_000,
    "breaks": "BREAK " * 20_000,
    "many": "(a:1.1), " * 11_000,
}


def recorded(name: str) -> dict[str, Any]:
    """The answers recorded in pure/<name>.json, by input."""
    return json.loads(golden("pure", f"{name}.json").read_text("utf-8"))
