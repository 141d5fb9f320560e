"""What a console is told: where it listens, which daemons it shows, and who may sign in how."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cvec_circus_core.api import ConfigError, keys_folder

VARIABLE = "CIRCUS_HTTPD"
"""Environment variable with the settings as JSON, for a console that some ASGI server imports."""

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5555"

_ENDPOINT = re.compile(r"(tcp://\S+:[0-9]+|ipc://.+)")


def default_folder() -> str:
    """Return where people, tokens and sessions are kept unless an option says otherwise."""
    return os.path.join(keys_folder(), "httpd")


@dataclass(frozen=True, kw_only=True)
class DaemonAddress:
    """A daemon to connect to. What is None is asked from the daemon."""

    endpoint: str = DEFAULT_ENDPOINT
    pubsub_endpoint: str | None = None
    ssh_server: str | None = None
    keys: str | None = None
    """Folder of keys; the usual one when None."""
    daemon_id: str = ""
    """Which daemon is meant, where the console belongs to one."""


@dataclass(frozen=True, kw_only=True)
class ConsoleSettings:
    """The settings of one console."""

    host: str = "localhost"
    port: int = 8080
    folder: str = field(default_factory=default_folder)
    root_path: str = ""
    """Where a proxy puts the console, such as ``/circus``."""
    hosts: tuple[str, ...] = ()
    """Further names by which browsers may call this console; ``*`` for any."""
    proxies: tuple[str, ...] = ()
    """Addresses of proxies whose forwarded headers count."""
    proxy_header: str | None = None
    """The header in which such a proxy names the person that it has signed in."""
    proxy_secret: str | None = None
    """File with the word that such a proxy has to send as ``X-Circus-Proxy-Secret``."""
    proxy_role: str = "viewer"
    """What people may whom the proxy names and whom the password file does not know."""
    certfile: str | None = None
    keyfile: str | None = None
    insecure: bool = False
    """Whether to listen to other machines without TLS and without a proxy."""
    session_seconds: float = 12 * 3600.0
    """How long a session lives that is not used."""
    daemons: tuple[DaemonAddress, ...] = (DaemonAddress(),)

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)


def of_options(options: Mapping[str, Any], own_daemon: DaemonAddress) -> ConsoleSettings:
    """Return the settings of the console of a daemon, whose options these are."""
    values = {key: value for key, value in options.items() if value is not None}
    further = (DaemonAddress(endpoint=endpoint) for endpoint in values.pop("endpoints", ()))
    return _made({**values, "daemons": (own_daemon, *further)})


def to_environment(settings: ConsoleSettings) -> dict[str, str]:
    """Return the variable that carries settings to a console in another process."""
    return {VARIABLE: json.dumps(asdict(settings))}


def from_environment(environ: Mapping[str, str]) -> ConsoleSettings:
    """Return the settings of the environment; the usual ones where it has none.

    Raises `ConfigError`.
    """
    text = environ.get(VARIABLE)
    if text is None:
        return ConsoleSettings()
    try:
        values: dict[str, Any] = json.loads(text)
        daemons = tuple(DaemonAddress(**daemon) for daemon in values.pop("daemons", [{}]))
        return _made({**values, "daemons": daemons})
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{VARIABLE} holds no settings of a console: {error}") from None


def _made(values: Mapping[str, Any]) -> ConsoleSettings:
    lists = {name: tuple(values.get(name, ())) for name in ("hosts", "proxies")}
    for daemon in values["daemons"]:
        if not _ENDPOINT.fullmatch(daemon.endpoint):
            raise ConfigError(f"{daemon.endpoint!r} is no endpoint, such as {DEFAULT_ENDPOINT}")
    root_path = str(values.get("root_path", "")).rstrip("/")
    if root_path and (not root_path.startswith("/") or root_path.startswith("//")):
        raise ConfigError(f"httpd_root_path must begin with one slash, not {root_path!r}")
    return ConsoleSettings(**{**values, **lists, "root_path": root_path})
