"""A request as data: the body of `/sdapi/v1/<kind>` that asks for the same."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import MISSING, fields
from typing import Any

SKIPPED = frozenset({"comments", "extra_generation_params", "do_not_save_samples", "do_not_save_grid", "outpath_samples", "outpath_grids"})


def body_of(request: Any) -> dict[str, Any]:
    """The fields of a request that differ from their defaults; pictures become base64, scripts `script_args` and the like.

    Whatever JSON cannot hold becomes null.
    """
    if hasattr(request, "as_body"):
        return dict(request.as_body())
    body: dict[str, Any] = {}
    for entry in fields(request):
        value = getattr(request, entry.name)
        if entry.name not in SKIPPED and not _is_default(entry, value):
            body[entry.name] = value
    if getattr(request, "image_mask", None) is not None:
        body["mask"] = request.image_mask
    body["save_images"] = not getattr(request, "do_not_save_samples", False)
    body.update(_scripts(getattr(request, "scripts", None), list(getattr(request, "script_args", None) or [])))
    return json.loads(json.dumps(body, default=_plain))


def _is_default(entry: Any, value: Any) -> bool:
    if entry.default is not MISSING:
        return type(value) is type(entry.default) and value == entry.default
    return entry.default_factory is not MISSING and value == entry.default_factory()


def _scripts(runner: Any, args: list[Any]) -> dict[str, Any]:
    """What scripts do in a request, by their titles: places in the argument vector change with what is installed."""
    if runner is None or not args:
        return {}
    body: dict[str, Any] = {"alwayson_scripts": {}}
    for script in runner.alwayson_scripts:
        own = args[script.args_from or 0 : script.args_to or 0]
        if own and not getattr(script, "setup_for_ui_only", False):
            body["alwayson_scripts"][script.title()] = {"args": own}
    selected = args[0] if isinstance(args[0], int) else 0
    if 0 < selected <= len(runner.selectable_scripts):
        script = runner.selectable_scripts[selected - 1]
        body["script_name"] = script.title()
        body["script_args"] = args[script.args_from or 0 : script.args_to or 0]
    return body


def _plain(value: Any) -> Any:
    """A picture as base64 PNG; arrays and numbers of numpy as lists and numbers."""
    from PIL import Image

    if isinstance(value, Image.Image):
        buffer = io.BytesIO()
        value.save(buffer, "PNG", compress_level=1)
        return base64.b64encode(buffer.getvalue()).decode("ascii")
    if hasattr(value, "tolist"):
        return value.tolist()
    return None
