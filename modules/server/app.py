"""The web application: API, docs and the layers around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware

from modules.extend.host import install as install_scripts

from .auth import parse_credentials, require_password
from .configuration import configuration_routes
from .dictionary import dictionary_routes
from .docs import add_docs
from .easel_jobs import job_routes
from .errors import ErrorAnswers, install_handlers
from .extras import extras_routes
from .generation import generation_routes
from .job_kinds import register_builders
from .layers import BodyLimit, Guard, Timing
from .lists import list_routes
from .networks import network_routes
from .origins import AllowedOrigins, cors_origins
from .png_info import png_info_routes

if TYPE_CHECKING:
    from modules.engine.engine import Engine

TITLE = "Easel"


def create_app(engine: Engine, flags: Any) -> FastAPI:
    """The application over an engine. The API and its docs are in it with `--api` or `--nowebui`; the page mounts itself later.

    Imports neither torch nor Gradio. Raises AuthFlagError for an unreadable `--api-auth`.
    """
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, separate_input_output_schemas=False)
    install_handlers(app)
    _add_layers(app, flags)
    credentials = parse_credentials(getattr(flags, "api_auth", None))
    install_scripts(engine, flags)
    register_builders(engine)
    if getattr(flags, "api", False) or getattr(flags, "nowebui", False):
        dependencies = [Depends(require_password(credentials))] if credentials else []
        for routes in (
            generation_routes,
            configuration_routes,
            list_routes,
            network_routes,
            png_info_routes,
            extras_routes,
            dictionary_routes,
            job_routes,
        ):
            app.include_router(routes(engine, flags), dependencies=dependencies)
        add_docs(app)
    return app


def _add_layers(app: FastAPI, flags: Any) -> None:
    """The layers, from the innermost out."""
    app.add_middleware(ErrorAnswers)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=4)
    app.add_middleware(BodyLimit)
    origins, regex = sorted(cors_origins(flags)), getattr(flags, "cors_allow_origins_regex", None)
    if origins or regex:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_origin_regex=regex,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials=True,
        )
    app.add_middleware(Guard, allowed=AllowedOrigins.from_flags(flags))
    app.add_middleware(Timing, log=_print_line if getattr(flags, "api_log", False) else None)


def _print_line(line: str) -> None:
    print(line, flush=True)
