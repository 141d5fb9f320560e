"""TcpObserver: connects to a server now and then, and restarts a watcher where that fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from cvec_circus_core.api import INTEGER, TEXT, between, escaped, option
from cvec_circus_plugins._probe import Probe, ProbeFailure, ProbeSettings


@dataclass(frozen=True, kw_only=True)
class TcpSettings(ProbeSettings):
    """Which server is connected to."""

    check_host: str = option("127.0.0.1", TEXT, "where the server listens")
    check_port: int = option(80, between(INTEGER, 1, 65535), "its port")


class TcpObserver(Probe):
    """Connects every ``loop_rate`` seconds, and restarts a watcher whose server takes nobody.

    Under ``circus.APPLICATION.watcher.tcp_stats`` statsd is told ``error``, ``restart_on_error``
    and ``restart_on_timeout``.
    """

    name = "tcp_observer"
    topic = "tcp_stats"
    settings_type: ClassVar[type[TcpSettings]] = TcpSettings
    settings: TcpSettings

    async def probe(self) -> ProbeFailure | None:
        """Connect once."""
        host, port, limit = (
            self.settings.check_host,
            self.settings.check_port,
            self.settings.timeout,
        )
        try:
            async with asyncio.timeout(limit):
                _, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            return ProbeFailure(f"{host}:{port} does not answer within {limit:g} s", True)
        except OSError as error:
            return ProbeFailure(f"{host}:{port} takes no connection: {escaped(str(error))}")
        writer.close()
        return None
