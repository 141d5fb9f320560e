"""How the web console comes to run: as a watcher of the daemon's own, where ``httpd`` says so.

Beside the console's own package, because every daemon asks, and one that runs no console is to
import nothing of it. The options go with the order: when one changes, the console is replaced.

The daemon binds the console's socket and keeps it while the console is replaced, so that those
who connect meanwhile wait for the next one. Where other machines would reach passwords in the clear
nothing is bound, and the console says why.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from cvec_circus_core.api import (
    PLUGIN_STOP_GRACE,
    ArbiterSpec,
    PluginSpec,
    SocketSpec,
    WatcherSpec,
    hookimpl,
    name_key,
)

WATCHER = "circushttpd"
RUNNER = "httpd"

_PREFIX = "httpd_"
_SETTINGS = (
    *("host", "port", "folder", "certfile", "keyfile", "insecure", "root_path", "hosts"),
    *("proxies", "proxy_header", "proxy_secret", "proxy_role", "endpoints"),
)


class ConsolePlacement:
    """Tells the daemon where its console runs."""

    @hookimpl
    def circus_plugins(
        self, daemon: ArbiterSpec, plugins: Sequence[PluginSpec], watchers: Sequence[str]
    ) -> list[PluginSpec]:
        """Return the console, unless the operator has a watcher of that name."""
        if not daemon.httpd or any(name_key(name) == WATCHER for name in watchers):
            return []
        options = {key: getattr(daemon, _PREFIX + key) for key in _SETTINGS}
        return [
            PluginSpec(
                name=WATCHER,
                use=RUNNER,
                runner=RUNNER,
                isolate=True,
                options=options,
                sockets=(_socket(daemon),) if listens_safely(daemon) else (),
                watcher=_watcher(daemon),
            )
        ]


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listens_safely(daemon: ArbiterSpec) -> bool:
    """Tell whether the daemon's options let its console listen where they say."""
    is_covered = daemon.httpd_certfile is not None or bool(daemon.httpd_proxies)
    return is_covered or daemon.httpd_insecure or is_loopback(daemon.httpd_host)


def _socket(daemon: ArbiterSpec) -> SocketSpec:
    family = "AF_INET6" if ":" in daemon.httpd_host else "AF_INET"
    return SocketSpec(
        name=WATCHER,
        host=daemon.httpd_host,
        port=daemon.httpd_port,
        family=family,
    )


def _watcher(daemon: ArbiterSpec) -> WatcherSpec:
    return WatcherSpec(
        name=WATCHER,
        priority=-1,
        singleton=True,
        copy_env=True,
        copy_path=True,
        graceful_timeout=PLUGIN_STOP_GRACE,
        close_child_stdout=daemon.httpd_close_outputs,
        close_child_stderr=daemon.httpd_close_outputs,
    )
