"""Measuring how long the parts of a task take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Timer:
    """Adds up seconds by category: `record("load")` gives the time since the last record to it."""

    def __init__(self, print_log: bool = False) -> None:
        self.start = time.time()
        self.records: dict[str, float] = {}
        self.total = 0.0
        self.base_category = ""
        self.print_log = print_log

    def elapsed(self) -> float:
        """Seconds since the last call."""
        end = time.time()
        seconds, self.start = end - self.start, end
        return seconds

    def record(self, category: str, extra_time: float = 0) -> None:
        """Add the time since the last record to a category."""
        seconds = self.elapsed()
        name = self.base_category + category
        self.records[name] = self.records.get(name, 0.0) + seconds + extra_time
        self.total += seconds + extra_time

    @contextmanager
    def subcategory(self, name: str) -> Iterator[None]:
        """Records inside are part of a category."""
        before, self.base_category = self.base_category, f"{self.base_category}{name}/"
        self.elapsed()
        try:
            yield
        finally:
            self.base_category = before
            self.record(name)

    def summary(self) -> str:
        """One line: the total, then the categories that took time."""
        parts = [f"{name}: {seconds:.1f}s" for name, seconds in self.records.items() if seconds >= 0.1 and "/" not in name]
        return f"{self.total:.1f}s" + (f" ({', '.join(parts)})" if parts else "")

    def dump(self) -> dict[str, object]:
        """The measurements as data."""
        return {"total": self.total, "records": dict(self.records)}

    def reset(self) -> None:
        """Begin anew."""
        self.__init__(self.print_log)  # type: ignore[misc]


startup_timer = Timer()
startup_record: dict[str, object] | None = None
