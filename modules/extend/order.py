"""A stable order under "comes after" wishes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def topological_order(names: Iterable[str], after: Mapping[str, Iterable[str]]) -> list[str]:
    """The names in the order given, but each behind all those in `after[name]`; unknown ones are ignored and a cycle is cut where met."""
    names = list(names)
    known, done, visiting, result = set(names), set[str](), set[str](), list[str]()

    def visit(name: str) -> None:
        if name in done or name in visiting:
            return
        visiting.add(name)
        for earlier in after.get(name, ()):
            if earlier in known:
                visit(earlier)
        visiting.discard(name)
        done.add(name)
        result.append(name)

    for name in names:
        visit(name)
    return result
