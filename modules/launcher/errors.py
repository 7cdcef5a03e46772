"""What the launcher raises."""

from __future__ import annotations


class LaunchError(Exception):
    """The start is impossible. The message is one sentence that says what is wrong and what to do."""
