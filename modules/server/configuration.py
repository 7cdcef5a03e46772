"""Settings and flags: GET and POST options, cmd-flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body

from modules.settings.option import Option
from modules.settings.store import Options

from .models import Object

if TYPE_CHECKING:
    from modules.engine.engine import Engine

SECRET_FLAGS = ("api_auth", "gradio_auth", "gradio_auth_path", "ngrok")
DERIVED_FLAGS = ("webui_is_non_local", "disable_extension_access")


def configuration_routes(engine: Engine, flags: Any) -> APIRouter:
    router = APIRouter()

    @router.get("/sdapi/v1/options")
    def get_options() -> dict[str, Any]:
        """All settings."""
        values = {key: _shown(option, engine.options) for key, option in engine.options.schema.items()}
        if not values["sd_model_checkpoint"] and (known := engine.checkpoints.list()):
            values["sd_model_checkpoint"] = known[0].title  # the one a job takes when none is chosen
        return values

    @router.post("/sdapi/v1/options")
    def set_options(options: Annotated[Object, Body()]) -> None:
        """Change any of the settings; all of them or, when one is wrong, none."""
        _change(engine, options)

    @router.get("/sdapi/v1/cmd-flags")
    def cmd_flags() -> dict[str, Any]:
        """The flags the server was started with; passwords are left out."""
        return {name: _flag(name, value) for name, value in vars(flags).items() if name not in DERIVED_FLAGS}

    return router


def _shown(option: Option, options: Options) -> Any:
    """A setting's value; whole numbers as floats where A1111's answer has them so, notes as their text."""
    if not option.stored:
        return option.default
    value = getattr(options, option.key)
    is_float = isinstance(option.default, int) and not isinstance(option.default, bool) and option.default != 0
    return float(value) if is_float and isinstance(value, int) else value


def _change(engine: Engine, wanted: Mapping[str, Any]) -> None:
    """Check all, then set all, then save."""
    options = engine.options
    values = {key: options.check(key, value) for key, value in wanted.items()}
    checkpoint = values.get("sd_model_checkpoint")
    if checkpoint:
        values["sd_model_checkpoint"] = engine.checkpoints.get(checkpoint).title
    for key, value in values.items():
        option = options.schema[key]
        if option.stored and value != options.data.get(key):
            options.freeze.check(option)
    changed = [key for key, value in values.items() if options.set(key, value, is_api=True)]
    if values:
        options.save()
    if "sd_model_checkpoint" in changed and engine.current is None:
        engine.start_loading()


def _flag(name: str, value: Any) -> Any:
    if name in SECRET_FLAGS:
        return None if not value else "(set)"
    if name == "port" and value is not None:
        return str(value)
    return value if isinstance(value, bool | int | float | str | list | dict | None) else str(value)
