"""`webui.sh`: the page and the API, until Ctrl+C."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from modules import flags as server_flags

if TYPE_CHECKING:
    from fastapi import FastAPI

    from modules.engine.engine import Engine

log = logging.getLogger(__name__)


def main(argv: list[str]) -> int:
    """Serve; returns 0 after a clean stop. Raises ListenError for a port that cannot be had."""
    flags = server_flags.parse(argv)
    _configure_logging(flags)
    from modules.server.serve import address_of, bind

    host, port = address_of(flags)
    sock = bind(host, port)
    from modules.engine.engine import Engine
    from modules.server.app import create_app
    from modules.server.serve import end_process, serve

    engine = Engine(flags)
    app = create_app(engine, flags)
    _run_in_lifespan(app, engine, flags)
    address = _address(host, sock.getsockname()[1], tls=bool(flags.tls_certfile))
    print(f"Easel is at {address}" + ("/docs" if flags.nowebui else ""), flush=True)
    _open_browser(address, flags)
    serve(
        app,
        host,
        port,
        sock=sock,
        tls_keyfile=flags.tls_keyfile,
        tls_certfile=flags.tls_certfile,
        keep_alive=flags.timeout_keep_alive,
        subpath=flags.subpath,
        on_stop=engine.close,
    )
    engine.close()
    end_process(0)
    return 0


def _run_in_lifespan(app: FastAPI, engine: Engine, flags: Any) -> None:
    """Once the port listens: build the page, then load the checkpoint, both behind the starting page."""
    starting = None
    if not flags.nowebui:
        from modules.ui.starting import install

        starting = install(app)

    async def bring_up() -> Any:
        from modules.ui.page import mount_while_running

        try:
            return await mount_while_running(app, engine, flags, starting) if starting else None
        except Exception:
            log.exception("the page could not be built")
        finally:
            await asyncio.to_thread(engine.scripts.start, app)
            await asyncio.to_thread(engine.start)
            if not flags.skip_load_model_at_start:
                engine.start_loading()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(bring_up())
        yield
        if task.done() and not task.cancelled() and (stack := task.result()) is not None:
            await stack.aclose()
        task.cancel()

    app.router.lifespan_context = lifespan


def _configure_logging(flags: Any) -> None:
    level = flags.loglevel or os.environ.get("SD_WEBUI_LOG_LEVEL") or "INFO"
    logging.basicConfig(level=str(level).upper(), format="%(message)s")
    for noisy in ("httpx", "httpcore", "asyncio", "PIL", "lightning", "gradio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _address(host: str, port: int, *, tls: bool) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"{'https' if tls else 'http'}://{f'[{shown}]' if ':' in shown else shown}:{port}"


def _open_browser(address: str, flags: Any) -> None:
    """Open the page where there is somebody to see it: asked for by flag or setting, or a desktop session."""
    if flags.nowebui or os.environ.get("SD_WEBUI_RESTARTING") == "1":
        return
    if flags.autolaunch or (os.isatty(0) and _has_desktop()):
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _has_desktop() -> bool:
    return os.name == "nt" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
