"""Which hosts and web origins may use the server: a defence against DNS rebinding and cross-site requests.

A page somewhere on the web can make its visitor's browser talk to this machine. Two headers that no page can forge tell such requests
apart: `Host` (a rebinding page has its own name there) and `Origin` (the page's own address).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

LOCAL_SUFFIXES = (".localhost", ".local", ".lan", ".home.arpa", ".internal", ".home")
"""Names that no public DNS server can hand out."""
TUNNEL_SUFFIXES = (".gradio.live", ".gradio.app", ".ngrok.io", ".ngrok.app", ".ngrok-free.app", ".ngrok-free.dev")


@dataclass(frozen=True)
class AllowedOrigins:
    """Names that reach this server and origins that may use it.

    `local_only`: bound to the loopback address. `names`: further host names. `origins`, `pattern`: the CORS flags.
    `protected`: a password is asked for, so that a rebinding page gets nowhere.
    """

    local_only: bool = True
    names: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None
    tunnels: bool = False
    protected: bool = False
    own_names: frozenset[str] = field(default_factory=lambda: frozenset({socket.gethostname().lower()}))

    @classmethod
    def from_flags(cls, flags: Any) -> AllowedOrigins:
        """From `--listen`, `--server-name`, `--share`, `--ngrok` and the CORS flags."""
        origins = cors_origins(flags)
        regex = getattr(flags, "cors_allow_origins_regex", None)
        server_name = getattr(flags, "server_name", None) or ""
        tunnels = bool(getattr(flags, "share", False) or getattr(flags, "ngrok", None))
        local_only = not (getattr(flags, "listen", False) or tunnels) and (not server_name or is_loopback(server_name))
        names = {urlsplit(origin).hostname or "" for origin in origins} | {server_name.lower()}
        password = getattr(flags, "api_auth", None) and getattr(flags, "nowebui", False)
        return cls(local_only, frozenset(names - {""}), origins, re.compile(regex) if regex else None, tunnels, bool(password))

    def host_allowed(self, host: str, *, changes: bool) -> bool:
        """Whether a request that names this `Host` may pass; behind a public address only those that change something are judged."""
        name = host_name(host)
        if not name:  # no browser leaves it out
            return True
        if "*" in self.origins or is_loopback(name) or name in self.names or self._matches_host(host):
            return True
        if self.local_only:
            return False
        return not changes or self.protected or self._is_ours(name)

    def _matches_host(self, host: str) -> bool:
        return self.pattern is not None and any(self.pattern.fullmatch(f"{scheme}://{host}") for scheme in ("http", "https"))

    def _is_ours(self, name: str) -> bool:
        """Names that only this network can give: addresses, names without a dot, local domains, the tunnels' own."""
        return (
            _is_address(name)
            or "." not in name
            or name.endswith(LOCAL_SUFFIXES)
            or name in self.own_names
            or (self.tunnels and name.endswith(TUNNEL_SUFFIXES))
        )

    def origin_allowed(self, origin: str, hosts: list[str]) -> bool:
        """Whether a page of this origin may change things: one of our own (named by a `Host`), or one the flags allow."""
        if "*" in self.origins or origin in self.origins or (self.pattern and self.pattern.fullmatch(origin)):
            return True
        place = urlsplit(origin)
        if place.netloc and place.netloc.lower() in [host.lower() for host in hosts]:
            return True
        name = (place.hostname or "").lower()
        if self.tunnels and name.endswith(TUNNEL_SUFFIXES):
            return True
        # A TLS proxy on the default port leaves the port out of one header and not of the other.
        return bool(name) and _port(place.netloc) is None and any(host_name(host) == name and _port(host) in (80, 443) for host in hosts)


def cors_origins(flags: Any) -> frozenset[str]:
    """The origins of `--cors-allow-origins`, without blanks and closing slashes."""
    text = getattr(flags, "cors_allow_origins", None) or ""
    return frozenset(origin.strip().rstrip("/") for origin in text.split(",") if origin.strip())


def host_name(host: str) -> str:
    """The name in a `Host` header, without port, brackets and closing dot."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, _, port = host.rpartition(":")
    return (name if name and port.isdecimal() and ":" not in name else host).rstrip(".")


def _port(host: str) -> int | None:
    tail = host.rpartition("]")[2] if "]" in host else host
    text = tail.rpartition(":")[2] if ":" in tail else ""
    return int(text) if text.isdecimal() and len(text) < 6 else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """127.0.0.0/8, ::1, `localhost` and names below it."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return _is_address(name) and ipaddress.ip_address(name.partition("%")[0]).is_loopback
