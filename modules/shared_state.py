"""The running job's progress (platform.md §4.8)."""

from __future__ import annotations

from modules.extend.shared_state import SharedState as State

__all__ = ["State"]
