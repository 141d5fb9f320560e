"""Where a request comes from and which address its browser shows, proxies taken into account.

Headers that a proxy adds count only where the connection comes from one of the proxies that are
named; anybody else could send them as well. A loopback address names every program of the machine,
so a proxy there, and any that signs people in, proves itself by a secret.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cvec_circus_plugins.httpd.settings import ConsoleSettings

SECRET_HEADER = "x-circus-proxy-secret"  # noqa: S105 - the name of a header
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_HOST = re.compile(r"(\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[\w.-]+))(:[0-9]{1,5})?", re.ASCII)

Scope = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, as far as its address goes."""

    host: str
    """As the browser has it, with a port where it shows one."""
    scheme: str
    client: str
    """The address of the browser's machine."""
    root_path: str
    proxy_person: str | None
    """Whom a trusted proxy has signed in."""

    @property
    def host_name(self) -> str:
        """The host without its port."""
        return host_name(self.host)

    @property
    def is_secure(self) -> bool:
        """Whether the browser speaks TLS."""
        return self.scheme in ("https", "wss")

    def is_own_origin(self, origin: str) -> bool:
        """Tell whether a page of ours has this origin."""
        scheme, separator, host = origin.partition("://")
        if not separator:
            return False
        own_scheme = "https" if self.is_secure else "http"
        ports = {"http": ":80", "https": ":443"}
        own_host = self.host.lower().removesuffix(ports[own_scheme])
        return scheme == own_scheme and host.lower().removesuffix(ports[own_scheme]) == own_host


def host_name(host: str) -> str:
    """Return a host without its port, in lower case; nothing for what is no host."""
    match = _HOST.fullmatch(host)
    return "" if match is None else (match["address"] or match["name"]).lower()


def headers_of(scope: Scope) -> dict[str, list[str]]:
    """Return all values of each header, by its name in lower case."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return headers


def visit_of(scope: Scope, settings: ConsoleSettings, proxy_secret: str | None) -> Visit:
    """Return what is known of a request."""
    headers = headers_of(scope)
    peer: str = (scope.get("client") or ("", 0))[0]
    wire_scheme: str = scope["scheme"]
    scheme = {"ws": "http", "wss": "https"}.get(wire_scheme, wire_scheme)
    host = _only(headers.get("host"))
    root_path, client = settings.root_path, peer
    person: str | None = None
    if _is_proxy(peer, headers, settings, proxy_secret):
        host = _last(headers.get("x-forwarded-host")) or host
        scheme = _last(headers.get("x-forwarded-proto")) or scheme
        client = _last(headers.get("x-forwarded-for")) or peer
        prefix = _last(headers.get("x-forwarded-prefix"))
        if prefix.startswith("/") and not prefix.startswith("//"):
            root_path = prefix
        if settings.proxy_header is not None and proxy_secret is not None:
            person = _only(headers.get(settings.proxy_header.lower())) or None
    return Visit(host, scheme, client, root_path.rstrip("/"), person)


def is_allowed_host(visit: Visit, settings: ConsoleSettings) -> bool:
    """Tell whether a browser may call us so: a name that leads elsewhere tomorrow may not."""
    if "*" in settings.hosts:
        return bool(visit.host_name)
    own_names = LOCAL_HOSTS | {settings.host.lower()} | {name.lower() for name in settings.hosts}
    return visit.host_name in own_names


def _is_proxy(
    peer: str,
    headers: Mapping[str, list[str]],
    settings: ConsoleSettings,
    proxy_secret: str | None,
) -> bool:
    if peer not in settings.proxies:
        return False
    if proxy_secret is None:
        return True
    sent_secret = _only(headers.get(SECRET_HEADER))
    return secrets.compare_digest(sent_secret.encode(), proxy_secret.encode())


def _only(values: list[str] | None) -> str:
    """Return the value of a header that came once; one that came twice is no good."""
    return values[0].strip() if values is not None and len(values) == 1 else ""


def _last(values: list[str] | None) -> str:
    """Return what the nearest proxy has added."""
    return values[-1].rpartition(",")[2].strip() if values else ""
