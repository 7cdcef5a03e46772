"""Listening: the port is bound first, so that a taken one is said in a sentence and nothing was loaded for nothing."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from starlette.types import ASGIApp

DEFAULT_PORT = 7860
DEFAULT_API_PORT = 7861
GRACE_SECONDS = 1
"""How long open connections may finish after Ctrl+C."""


class ListenError(OSError):
    """The address cannot be listened on; the message says why and what to do."""


class PortTaken(ListenError):
    """Another program listens on the port."""


def address_of(flags: Any) -> tuple[str, int]:
    """Host and port by the flags: this machine only, unless `--listen` or `--server-name` says otherwise; 7860, or 7861 for `--nowebui`."""
    host = getattr(flags, "server_name", None) or ("0.0.0.0" if getattr(flags, "listen", False) else "127.0.0.1")
    port = getattr(flags, "port", None)
    if port is None:
        port = DEFAULT_API_PORT if getattr(flags, "nowebui", False) else DEFAULT_PORT
    return host, int(port)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises PortTaken or ListenError."""
    if not 0 <= port <= 65535:
        raise ListenError(f"{port} is no port; --port takes 1 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise ListenError(f"'{host}:{port}' is no address to listen on: {error}; check --server-name and --port") from error
    sock = socket.socket(family, kind, protocol)
    try:
        _set_options(sock)
        sock.bind(address)
        sock.listen(2048)
    except (OSError, OverflowError) as error:
        sock.close()
        raise _told(host, port, error) from error
    sock.set_inheritable(False)
    return sock


def _set_options(sock: socket.socket) -> None:
    """On Windows SO_REUSEADDR would let two programs share the port; elsewhere it only skips the wait after a restart."""
    if os.name == "nt":
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE", -5), 1)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def _told(host: str, port: int, error: Exception) -> ListenError:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return PortTaken(f"port {port} is taken: another program listens there; stop it, or start with --port {min(port + 1, 65535)}")
    if number == errno.EACCES:
        return ListenError(f"port {port} may not be used by this user; start with --port {DEFAULT_PORT}")
    if number == errno.EADDRNOTAVAIL:
        return ListenError(f"'{host}' is no address of this machine; check --server-name")
    return ListenError(f"cannot listen on {host}:{port}: {error}")


class Server(uvicorn.Server):
    """uvicorn that stops on the first Ctrl+C or SIGTERM, with exit code 0, and at once on the second."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], object] | None = None) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, does not raise the signal again when the server has stopped cleanly."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM, *((signal.SIGBREAK,) if hasattr(signal, "SIGBREAK") else ()))
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
            return
        self.stop()

    def stop(self) -> None:
        """Stop serving; `on_stop` runs beside it, so that jobs end and their requests are answered."""
        self.should_exit = True
        # Requests cut off after the grace would each log a traceback; the user asked for it.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        if self._on_stop is not None:
            threading.Thread(target=self._on_stop, name="stop", daemon=True).start()


def end_process(code: int = 0) -> NoReturn:
    """End the process at once, with everything said so far written out.

    A worker thread inside a long torch operation cannot be stopped; the interpreter's own way out would abort on it.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def create_server(
    app: ASGIApp,
    *,
    tls_keyfile: str | None = None,
    tls_certfile: str | None = None,
    keep_alive: int = 30,
    subpath: str | None = None,
    on_stop: Callable[[], object] | None = None,
) -> Server:
    """A server for the application; `on_stop` is called once when it begins to stop."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_keyfile=tls_keyfile,
        ssl_certfile=tls_certfile,
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=GRACE_SECONDS,
        root_path=f"/{subpath.strip('/')}" if subpath and subpath.strip("/") else "",
    )
    return Server(config, on_stop)


def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    sock: socket.socket | None = None,
    tls_keyfile: str | None = None,
    tls_certfile: str | None = None,
    keep_alive: int = 30,
    subpath: str | None = None,
    on_stop: Callable[[], object] | None = None,
) -> None:
    """Serve until Ctrl+C or SIGTERM, then return. `sock` is one bound before with `bind`. Raises PortTaken or ListenError."""
    listening = sock or bind(host, port)
    server = create_server(
        app, tls_keyfile=tls_keyfile, tls_certfile=tls_certfile, keep_alive=keep_alive, subpath=subpath, on_stop=on_stop
    )
    try:
        server.run(sockets=[listening])
    finally:
        listening.close()
