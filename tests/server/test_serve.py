"""Listening, and stopping with Ctrl+C."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import urllib.request
from argparse import Namespace

import pytest

from modules.server.serve import ListenError, PortTaken, address_of, bind


def test_addresses() -> None:
    assert address_of(Namespace()) == ("127.0.0.1", 7860)
    assert address_of(Namespace(nowebui=True)) == ("127.0.0.1", 7861)
    assert address_of(Namespace(listen=True, port=80)) == ("0.0.0.0", 80)
    assert address_of(Namespace(server_name="::1", listen=True)) == ("::1", 7860)


def test_a_taken_port_is_said() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} is taken"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("no.such.host.invalid", 7860), ("192.0.2.1", 7860), ("127.0.0.1", -1)])
def test_other_addresses_are_said(host: str, port: int) -> None:
    with pytest.raises(ListenError):
        bind(host, port)


SCRIPT = """
import sys, threading
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from modules.server.serve import bind, serve

async def hello(request):
    return PlainTextResponse("hello")

async def forever(request):
    import asyncio
    async def stream():
        while True:
            yield b"x"
            await asyncio.sleep(0.05)
    return StreamingResponse(stream())

sock = bind("127.0.0.1", 0)
print(sock.getsockname()[1], flush=True)
stopped = threading.Event()
serve(Starlette(routes=[Route("/", hello), Route("/forever", forever)]), "", 0, sock=sock, on_stop=stopped.set)
print("stopped", stopped.wait(5), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_cleanly_although_a_client_still_reads(number: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(SCRIPT)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert opener.open(f"http://127.0.0.1:{port}/", timeout=20).read() == b"hello"
        stream = opener.open(f"http://127.0.0.1:{port}/forever", timeout=20)
        assert stream.read(1) == b"x"
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, out.strip()) == (0, "stopped True"), errors
    assert "Traceback" not in errors
