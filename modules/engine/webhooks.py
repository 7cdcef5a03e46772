"""Telling other programs that a job is over: a message is written down before it is sent, and tried again until it arrives.

A message is JSON: `id`, `state`, `kind`, `number`, `finished`, `images`, `error`. Its headers: `X-Easel-Delivery` (the same
whenever it is sent again), `X-Easel-Timestamp` (seconds since 1970) and, where the job has a secret, `X-Easel-Signature`:
`sha256=` and the hex HMAC-SHA256 under the secret of timestamp, a dot and the body.

Only hosts that the setting `webhook_allowed_hosts` names are sent to, by the address that was checked and without following
redirects, so that nobody can have this machine talk to its own network.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
import logging
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from modules.engine.jobs import OVER, Job

if TYPE_CHECKING:
    from modules.engine.queue import JobQueue
    from modules.engine.store.jobs import Delivery, Event
    from modules.settings.store import Options

log = logging.getLogger(__name__)
SECONDS = 10.0
WAITS = (2.0, 10.0, 60.0, 300.0, 1800.0, 7200.0)
"""Seconds before each further attempt; after the last one a message is given up."""
PORTS = {"http": 80, "https": 443}


class WebhookError(ValueError):
    """An address that messages may not be sent to."""


def check_address(url: str, allowed: str) -> SplitResult:
    """The parts of an address that may be sent to; `allowed`: hosts or host:port, separated by commas. Raises WebhookError."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise WebhookError(f"'{url}' is no address") from None
    if parts.scheme not in PORTS or not host or parts.username is not None or any(ord(mark) <= 32 for mark in url):
        raise WebhookError("must be an address like https://host/path, without a user name")
    names = {name.strip().lower() for name in allowed.split(",") if name.strip()}
    if host not in names and f"{host}:{port or PORTS[parts.scheme]}" not in names:
        raise WebhookError(f"host '{host}' is not among those of the setting 'webhook_allowed_hosts'")
    return parts


def resolve(host: str, port: int, allowed: str) -> tuple[Any, ...]:
    """The socket address to connect to. Raises WebhookError where a name leads to this machine or to link-local addresses."""
    named = {entry.strip().lower() for entry in allowed.split(",")}
    literal = host in ("localhost",) or _is_address(host)
    for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        address = ipaddress.ip_address(str(found[4][0]).partition("%")[0])
        inner = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
        if not inner or (literal and (host in named or f"{host}:{port}" in named)):
            return found
    raise WebhookError(f"host '{host}' leads to an address of this machine")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def signature(secret: str, timestamp: str, body: str) -> str:
    """What `X-Easel-Signature` holds."""
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.{body}".encode(), hashlib.sha256).hexdigest()


def message(job: Job) -> str:
    """What is told about a job that is over."""
    images = len((job.stored or {}).get("files") or [])
    error = None if job.error is None else {"kind": type(job.error).__name__, "message": str(job.error)}
    told = {"id": job.id, "number": job.number, "kind": job.kind, "state": job.state, "finished": job.finished_at}
    return json.dumps({**told, "images": images, "error": error})


class Webhooks:
    """Watches the queue and sends what is owed, in a thread of its own that runs only while something is."""

    def __init__(self, queue: JobQueue, options: Options) -> None:
        self._queue, self._options = queue, options
        self._records = queue.records
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        queue.watch(self._noticed)

    def start(self) -> None:
        """Send what an earlier run of the program still owes."""
        if self._records.safely(lambda: self._records.store.next_due(), None) is not None:
            self._begin()

    def close(self) -> None:
        self._closed = True
        self._wake.set()

    def _noticed(self, job: Job, event: Event) -> None:
        if job.webhook and event.name in OVER:
            webhook, body = job.webhook, message(job)
            self._records.safely(lambda: self._records.store.owe(job.id, webhook["url"], webhook.get("secret", ""), body), None)
            self._begin()

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)
                self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        while not self._closed:
            self._wake.clear()
            deliveries: list[Delivery] = self._records.safely(lambda: self._records.store.due(time.time()), [])
            for delivery in deliveries:
                if self._closed:
                    return
                self._deliver(delivery)
            due = self._records.safely(lambda: self._records.store.next_due(), None)
            self._wake.wait(None if due is None else max(due - time.time(), 0.05))

    def _deliver(self, delivery: Delivery) -> None:
        store = self._records.store
        try:
            send(delivery, self._options.webhook_allowed_hosts)
        except WebhookError as error:
            log.warning("the webhook of job %s is given up: %s", delivery.job, error)
        except (OSError, http.client.HTTPException) as error:
            if delivery.attempts < len(WAITS):
                due = time.time() + WAITS[delivery.attempts]
                self._records.safely(lambda: store.postpone(delivery.number, delivery.attempts + 1, due), None)
                return
            log.warning("the webhook of job %s is given up after %d attempts: %s", delivery.job, delivery.attempts + 1, error)
        self._records.safely(lambda: store.settle(delivery.number), None)


def send(delivery: Delivery, allowed: str) -> None:
    """Send one message. Raises WebhookError, OSError or HTTPException when it was not taken."""
    parts = check_address(delivery.url, allowed)
    port = parts.port or PORTS[parts.scheme]
    found = resolve(parts.hostname or "", port, allowed)
    connection = http.client.HTTPConnection(parts.hostname or "", port, timeout=SECONDS)
    connection.sock = _connected(found, parts)
    stamp = str(int(time.time()))
    headers = {"Content-Type": "application/json", "X-Easel-Delivery": str(delivery.number), "X-Easel-Timestamp": stamp}
    if delivery.secret:
        headers["X-Easel-Signature"] = signature(delivery.secret, stamp, delivery.body)
    try:
        connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), delivery.body.encode(), headers)
        status = connection.getresponse().status
        if not 200 <= status < 300:
            raise OSError(f"it answered {status}")
    finally:
        connection.close()


def _connected(found: tuple[Any, ...], parts: SplitResult) -> socket.socket:
    family, kind, protocol, _, address = found
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(SECONDS)
        sock.connect(address)
        if parts.scheme == "https":
            return ssl.create_default_context().wrap_socket(sock, server_hostname=parts.hostname)
        return sock
    except BaseException:
        with suppress(OSError):
            sock.close()
        raise
