"""The server that comes with the console: uvicorn, bound where it is safe to be."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import uvicorn

from cvec_circus_core.api import ConfigError, Person, Role
from cvec_circus_plugins.console_placement import is_loopback
from cvec_circus_plugins.httpd.app import create_app
from cvec_circus_plugins.httpd.connection_limits import AT_MOST, LimitedProtocol
from cvec_circus_plugins.httpd.links import Links
from cvec_circus_plugins.httpd.people import People
from cvec_circus_plugins.httpd.settings import ConsoleSettings

log = logging.getLogger(__name__)

QUEUED = 2048
"""Connections that wait to be accepted, at most."""
_AT_ONCE = AT_MOST // 4
"""Connections that are accepted at once: so few that one is read before it has to make room."""
PROTOCOL_SETTINGS: Mapping[str, Any] = {
    "http": LimitedProtocol,
    "backlog": _AT_ONCE,
    "proxy_headers": False,
    "server_header": False,
    "lifespan": "on",
    "ws": "websockets-sansio",
    "ws_per_message_deflate": False,
    "ws_max_size": 1 << 16,
    "timeout_keep_alive": 30,
}
"""How uvicorn is to speak, also as a worker of gunicorn."""
_FIRST_HANDED_OVER = 3
_LAST_WORDS = 1
"""Seconds that requests may still take at the end: less than the daemon lets a plugin take."""


def check_safe(settings: ConsoleSettings) -> None:
    """Raise `ConfigError` where other machines would reach passwords in the clear."""
    if settings.certfile is None and settings.keyfile is not None:
        raise ConfigError("httpd_keyfile needs httpd_certfile")
    if settings.certfile is not None:
        _check_certificate(settings.certfile, settings.keyfile)
    is_covered = settings.certfile is not None or bool(settings.proxies) or settings.insecure
    if not is_covered and not is_loopback(settings.host):
        raise ConfigError(
            f"the console does not listen at {settings.host}, where other machines reach it: give "
            "httpd_certfile, or httpd_proxies, or say httpd_insecure = True"
        )


def _check_certificate(certfile: str, keyfile: str | None) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        named = certfile if keyfile is None else f"{certfile} with httpd_keyfile {keyfile}"
        raise ConfigError(f"httpd_certfile {named} can not be used: {reason}") from None


def bind(settings: ConsoleSettings) -> socket.socket:
    """Return a socket that listens. Raises `ConfigError`."""
    try:
        infos = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # A name may stand for both kinds of address: the older one is what others type.
        family, kind, protocol, _, address = sorted(infos, key=lambda info: info[0])[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(QUEUED)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"the console can not listen at {settings.host}:{settings.port}: {reason}"
        ) from None
    return listener


def handed_over(environ: Mapping[str, str]) -> socket.socket | None:
    """Return the socket that circusd or systemd has bound for us, where one has.

    Raises `ConfigError`.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()) or environ.get("LISTEN_FDS", "0") == "0":
        return None
    return listener_at(_FIRST_HANDED_OVER)


def listener_at(fd: int) -> socket.socket:
    """Return the socket of a descriptor that was inherited. Raises `ConfigError`."""
    try:
        return socket.socket(fileno=fd)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"descriptor {fd} is no socket to listen at: {reason}") from None


def address_of(settings: ConsoleSettings, port: int) -> str:
    """Return where a browser of this machine finds the console."""
    scheme = "http" if settings.certfile is None else "https"
    host = "localhost" if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104
    shown_host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown_host}:{port}{settings.root_path}/"


def first_link(settings: ConsoleSettings, address: str, name: str) -> str | None:
    """Return a one-time link for the operator where nobody could sign in else. Raises `BadKeys`."""
    if People(settings.path).has_any or settings.proxy_header is not None:
        return None
    return new_link(settings, address, name, Role.OPERATOR)


def new_link(settings: ConsoleSettings, address: str, name: str, role: Role) -> str:
    """Return a link with which somebody can sign in once. Raises `BadKeys`."""
    return f"{address}sign-in?link={Links(settings.path).make(Person(name, role))}"


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        for listener in sockets or ():
            # The loop takes one number for what it accepts at once and for what may wait.
            listener.listen(QUEUED)


def serve(settings: ConsoleSettings, listeners: Sequence[socket.socket]) -> None:
    """Serve until a signal says to end. Raises `ConfigError` and `BadKeys`."""
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        ssl_certfile=settings.certfile,
        ssl_keyfile=settings.keyfile,
        timeout_graceful_shutdown=_LAST_WORDS,
        **PROTOCOL_SETTINGS,
    )
    _Server(config).run(sockets=list(listeners))
