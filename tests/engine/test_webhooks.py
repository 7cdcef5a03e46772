"""Webhooks: signed, sent again until they arrive, and only to where they may go."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from drawing import drawing_engine, request

from modules.engine import webhooks
from modules.engine.webhooks import WebhookError, check_address, resolve


class Receiver(HTTPServer):
    """Answers with the statuses it is given, then 200; keeps what it was sent."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = list(statuses)
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.came = threading.Semaphore(0)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?a=b"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages.append(({**dict(self.headers), "path": self.path}, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()
        self.server.came.release()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receivers() -> Iterator[Any]:
    made: list[Receiver] = []

    def make(*statuses: int) -> Receiver:
        made.append(Receiver(*statuses))
        return made[-1]

    yield make
    for receiver in made:
        receiver.shutdown()
        receiver.server_close()


def test_a_message_is_signed(tmp_path: Path, receivers: Any) -> None:
    receiver = receivers()
    engine, _ = drawing_engine(tmp_path, webhook_allowed_hosts="127.0.0.1")
    job = engine.submit(request(), "job", webhook={"url": receiver.url, "secret": "s3cret"})
    assert receiver.came.acquire(timeout=60)
    headers, body = receiver.messages[0]
    told = json.loads(body)
    assert (told["id"], told["state"], told["images"], told["error"]) == ("job", "done", 1, None)
    signed = f"{headers['X-Easel-Timestamp']}.".encode() + body
    assert headers["X-Easel-Signature"] == "sha256=" + hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    assert headers["path"] == "/hook?a=b" and job.state == "done"
    engine.close()


def test_a_message_that_is_not_taken_is_sent_again(tmp_path: Path, receivers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "WAITS", (0.0, 0.0, 0.0))
    receiver = receivers(500, 302)
    engine, _ = drawing_engine(tmp_path, webhook_allowed_hosts="127.0.0.1")
    engine.submit(request("fails"), webhook={"url": receiver.url, "secret": ""})
    for _ in range(3):
        assert receiver.came.acquire(timeout=60)
    assert len({headers["X-Easel-Delivery"] for headers, _ in receiver.messages}) == 1
    assert {body for _, body in receiver.messages} == {receiver.messages[0][1]}
    assert json.loads(receiver.messages[0][1])["error"]["kind"] == "ValueError"
    assert "X-Easel-Signature" not in receiver.messages[0][0]
    engine.close()


def test_a_message_survives_the_program(tmp_path: Path, receivers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = receivers(503)
    monkeypatch.setattr(webhooks, "WAITS", (0.05,))
    engine, _ = drawing_engine(tmp_path, webhook_allowed_hosts="127.0.0.1")
    engine.records.store.owe("job", receiver.url, "", "{}")
    engine.close()
    again, _ = drawing_engine(tmp_path, webhook_allowed_hosts="127.0.0.1")
    again.start()
    for _ in range(2):
        assert receiver.came.acquire(timeout=60)
    again.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "hooks.example",
        "http://hooks.example@169.254.169.254/",
        "http://user@hooks.example/",
        "http://hooks.example.evil/",
        "http://hooks.example\\@evil/",
        "http://evil/?x=hooks.example",
        "http://hooks.example:99999/",
        "http://only-here.example/",
        "http://[::1/",
        "http://hooks.example/a b",
        "http://hooks.example/\r\nX: y",
        "",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(WebhookError):
        check_address(url, "hooks.example, only-here.example:8443")


def test_addresses_that_may_be_sent_to() -> None:
    allowed = "hooks.example, only-here.example:8443, ::1"
    for url in ("https://HOOKS.example/a?b#c", "http://hooks.example:8080", "https://only-here.example:8443/", "http://[::1]/"):
        assert check_address(url, allowed).hostname


def test_a_name_that_leads_to_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(address: str) -> Any:
        return lambda *_, **__: [(2, 1, 6, "", (address, 80))]

    for address in ("127.0.0.1", "169.254.169.254", "0.0.0.0", "::1"):
        monkeypatch.setattr(webhooks.socket, "getaddrinfo", found(address))
        with pytest.raises(WebhookError, match="this machine"):
            resolve("hooks.example", 80, "hooks.example")
    monkeypatch.setattr(webhooks.socket, "getaddrinfo", found("192.168.1.5"))
    assert resolve("hooks.example", 80, "hooks.example")[4] == ("192.168.1.5", 80)


def test_a_host_that_is_no_longer_allowed_is_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine, _ = drawing_engine(tmp_path)
    engine.submit(request(), webhook={"url": "http://127.0.0.1:1/", "secret": ""}).wait(60)
    thread = engine.webhooks._thread
    assert thread is not None
    while engine.records.store.next_due() is not None:
        thread.join(0.01)
    assert "given up" in caplog.text
    engine.close()
