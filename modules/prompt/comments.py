"""Comments: from `#` to the end of the line."""

from __future__ import annotations

import re

_WHOLE_LINE = re.compile(r"(?:\A|\n)#[^\n]*(?:\n|\Z)")
_REST_OF_LINE = re.compile(r"#[^\n]*(?:\n|\Z)")


def strip_comments(text: str) -> str:
    """`text` with every comment, line break included, replaced by one newline; there is no escape."""
    # A1111: a commented line takes the newline before it along too, but not right after another such line.
    return _REST_OF_LINE.sub("\n", _WHOLE_LINE.sub("\n", text))
