"""Serving the console by another ASGI server than the one that comes with it.

The server takes the place of this process, gets the socket that is bound already, and imports the
application, whose settings stand in the environment.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec

from cvec_circus_core.api import ConfigError
from cvec_circus_plugins.httpd.settings import ConsoleSettings, to_environment

OWN = "uvicorn"
APPLICATION = "cvec_circus_plugins.httpd.asgi:app"
_WORKER = "cvec_circus_plugins.httpd.gunicorn_worker.ConsoleWorker"

Words = list[str]


def _gunicorn(fd: int, settings: ConsoleSettings) -> Words:
    # One worker: more would follow each daemon once each, and count failed sign-ins apart.
    words = ["gunicorn", "--workers", "1", "--worker-class", _WORKER, "--bind", f"fd://{fd}"]
    return words + _tls("--certfile", "--keyfile", settings) + [APPLICATION]


def _hypercorn(fd: int, settings: ConsoleSettings) -> Words:
    words = ["hypercorn", "--workers", "1", "--bind", f"fd://{fd}"]
    return words + _tls("--certfile", "--keyfile", settings) + [APPLICATION]


SERVERS: Mapping[str, Callable[[int, ConsoleSettings], Words]] = {
    "gunicorn": _gunicorn,
    "hypercorn": _hypercorn,
}


def serve_by(server: str, settings: ConsoleSettings, listener: socket.socket) -> None:
    """Become another server. Returns only by raising `ConfigError`."""
    if server not in SERVERS:
        known = ", ".join((OWN, *SERVERS))
        raise ConfigError(
            f"no server is named {server!r}; there are {known}, and any other that speaks ASGI "
            f"may import {APPLICATION}"
        )
    if find_spec(server) is None:
        raise ConfigError(f"the server {server} is not installed: pip install {server}")
    listener.set_inheritable(True)
    words = [sys.executable, "-P", "-m", *SERVERS[server](listener.fileno(), settings)]
    sys.stdout.flush()
    os.execve(sys.executable, words, {**os.environ, **to_environment(settings)})  # noqa: S606


def _tls(certfile: str, keyfile: str, settings: ConsoleSettings) -> Words:
    words: Words = []
    if settings.certfile is not None:
        words += [certfile, settings.certfile]
    if settings.keyfile is not None:
        words += [keyfile, settings.keyfile]
    return words
