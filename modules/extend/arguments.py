"""From a request that names scripts to the argument vector (platform.md §3.2.1 of the reference)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modules.pipeline.processing import RequestError

if TYPE_CHECKING:
    from modules.extend.runner import ScriptRunner
    from modules.extend.script import Script


class ScriptRefused(RequestError):
    """A request names a script that the page does not have, or uses one wrongly; `told` is A1111's sentence."""

    def __init__(self, field: str, told: str, advice: str) -> None:
        super().__init__(field, f"{told}{advice}")
        self.told = told


@dataclass(frozen=True)
class ScriptCall:
    """What a request says about scripts: the selected one with its arguments, and arguments of always-on ones by title."""

    name: str | None = None
    args: Sequence[Any] = ()
    alwayson: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names_any(self) -> bool:
        return bool(self.name or self.alwayson)


def not_found(field: str, name: str, known: Sequence[str]) -> ScriptRefused:
    """What is raised for a script that does not exist."""
    return ScriptRefused(field, f"Script '{name}' not found", f"; there are: {', '.join(known)}")


def check_call(runner: ScriptRunner, call: ScriptCall) -> None:
    """Raise RequestError for scripts that do not exist or cannot be used like this; builds no controls."""
    if call.name:
        _selected(runner, call.name)
    for name, entry in call.alwayson.items():
        _always_on(runner, name)
        _given(name, entry)


def script_arguments(runner: ScriptRunner, call: ScriptCall) -> list[Any]:
    """The argument vector of a request, for a runner whose controls are built.

    Raises ScriptRefused. The arguments of the selected
    script take the place of its slice.  # A1111: too few shift what follows; nothing pads them
    """
    selected = _selected(runner, call.name) if call.name else None
    args = runner.default_args()
    for name, entry in call.alwayson.items():
        script, given = _always_on(runner, name), _given(name, entry)
        start, stop = script.args_from or 0, script.args_to or 0
        args[start : start + min(len(given), stop - start)] = given[: stop - start]
    if selected is not None:
        args[selected.args_from : selected.args_to] = list(call.args)
        args[0] = runner.selectable_scripts.index(selected) + 1
    return args


def _selected(runner: ScriptRunner, name: str) -> Script:
    script = runner.script(name)
    if script is None:
        raise not_found("script_name", name, runner.titles)
    return script


def _always_on(runner: ScriptRunner, name: str) -> Script:
    titles = {script.title().lower(): script for script in runner.scripts}
    script = titles.get(name.lower())
    if script is None:
        raise not_found("alwayson_scripts", name, [s.title() for s in runner.alwayson_scripts])
    if not script.alwayson:
        raise RequestError(
            "alwayson_scripts", f"Cannot have a selectable script in the always on scripts params: '{name}'; use script_name"
        )
    return script


def _given(name: str, entry: Any) -> list[Any]:
    args = entry.get("args", []) if isinstance(entry, Mapping) else None
    if not isinstance(args, Sequence) or isinstance(args, str):
        raise RequestError("alwayson_scripts", f"'{name}' must be an object with a list 'args'")
    return list(args)
