"""StatsdEmitter and FullStats: what happens, and what processes use, told to a statsd server.

Names begin with ``circus.APPLICATION.watcher``. What would be read as a part of statsd's own
notation, or as one more level, becomes an underscore in a watcher's name, and so does what is not
ASCII.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from statsd import StatsClient

from cvec_circus_core.api import (
    DURATION,
    INTEGER,
    NUMBER,
    TEXT,
    CircusPlugin,
    ConfigError,
    at_least,
    between,
    option,
    topic_name,
)

log = logging.getLogger("circus.plugins.statsd")

PLUGIN_PREFIX = "plugin:"
LONGEST_NAME = 200
"""Characters of one level of a name: a datagram has room for some."""

_STATSD_PORT = 8125

_NOT_IN_A_NAME = re.compile(r"[^\w-]", re.ASCII)
_SIZE = re.compile(r"([\d.]+)([BKMGTPEZY])")
_UNITS = "BKMGTPEZY"


class StatsdClient(StatsClient):  # type: ignore[misc] # has no types
    """A client of statsd that has the older words beside its own."""

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        prefix: str | None = None,
        sample_rate: float = 1,
    ) -> None:
        super().__init__(host or "localhost", port or _STATSD_PORT, prefix=prefix)
        self.sample_rate = sample_rate

    def increment(self, bucket: str, delta: int = 1) -> None:
        """Count up."""
        self.incr(bucket, delta, self.sample_rate)

    def decrement(self, bucket: str, delta: int = 1) -> None:
        """Count down."""
        self.decr(bucket, delta, self.sample_rate)

    def timed(self, bucket: str, milliseconds: float) -> None:
        """Tell how long something took."""
        self.timing(bucket, milliseconds, self.sample_rate)

    def stop(self) -> None:
        """Close the socket."""
        self.close()


@dataclass(frozen=True, kw_only=True)
class StatsdSettings:
    """Where the statsd server is, and what it is told."""

    application_name: str = option("app", TEXT, "the second part of every name")
    host: str = option("localhost", TEXT, "where the statsd server listens")
    port: int = option(_STATSD_PORT, between(INTEGER, 1, 65535), "its UDP port")
    sample_rate: float = option(1.0, between(NUMBER, 0, 1), "the share of the events that is sent")


@dataclass(frozen=True, kw_only=True)
class ObserverSettings(StatsdSettings):
    """How often one looks."""

    loop_rate: float = option(60.0, at_least(DURATION, 0.01), "seconds between two looks")


class StatsdEmitter(CircusPlugin):
    """Counts every event in statsd, as ``circus.APPLICATION.watcher.WATCHER.EVENT``.

    In ``WATCHER``, whatever is no ASCII letter, digit or ``-`` is an underscore.
    """

    name = "statsd"
    settings_type: ClassVar[type[StatsdSettings]] = StatsdSettings
    settings: StatsdSettings

    def handle_config(self) -> None:
        """Find the server. Raises `ConfigError`."""
        self.sample_rate = self.settings.sample_rate
        host, port = self.settings.host, self.settings.port
        prefix = f"circus.{self.settings.application_name}.watcher"
        try:
            self.statsd = StatsdClient(host, port, prefix)
        except OSError as error:
            raise ConfigError(f"statsd server {host!r} is not known: {error}") from None

    def handle_recv(self, data: tuple[str, str]) -> None:
        """Count one event."""
        watcher, event, _ = self.split_data(data)
        self.statsd.incr(f"{metric_name(watcher)}.{metric_name(event)}", rate=self.sample_rate)

    def handle_stop(self) -> Awaitable[None] | None:
        """Close the socket."""
        self.statsd.close()
        return None


class Observer(StatsdEmitter):
    """Looks at something every ``loop_rate`` seconds; a subclass says at what."""

    name = "observer"
    settings_type: ClassVar[type[ObserverSettings]] = ObserverSettings
    settings: ObserverSettings

    def handle_config(self) -> None:
        """Begin to look, every ``loop_rate`` seconds."""
        super().handle_config()
        self.loop_rate = self.settings.loop_rate
        self.every(self.loop_rate, self.look_after)

    def handle_recv(self, data: tuple[str, str]) -> None:
        """Let events pass."""

    def look_after(self) -> Awaitable[None] | None:
        """Look at it; may be ``async def``."""
        raise NotImplementedError(f"{type(self).__name__} has no look_after()")


class FullStats(Observer):
    """Tells statsd what the processes of every watcher use, every ``loop_rate`` seconds.

    Gauges of a watcher, under ``circus.APPLICATION.watcher._stats.WATCHER``: ``watchers_num``
    (processes), ``cpu_max``, ``cpu_sum``, ``mem_pct_max``, ``mem_pct_sum`` (percent), ``mem_max``
    and ``mem_sum`` (bytes).
    """

    name = "full_stats"

    async def look_after(self) -> None:
        """Ask for the statistics of all watchers and tell them."""
        reply = await self.acall("stats")
        if reply.get("status") == "error":
            log.warning("full_stats: %s", reply.get("reason"))
            self.statsd.incr("_stats.error")
            return
        for watcher, infos in reply["infos"].items():
            if not watcher.startswith(PLUGIN_PREFIX):
                for key, value in gauges(infos):
                    self.statsd.gauge(f"_stats.{metric_name(watcher)}.{key}", value)


def gauges(infos: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the gauges of one watcher from the info objects of its processes."""
    processes = [info for info in infos.values() if isinstance(info, Mapping)]
    yield "watchers_num", len(processes)
    columns: dict[str, list[float]] = {
        "cpu": [number_or_zero(info.get("cpu")) for info in processes],
        "mem_pct": [number_or_zero(info.get("mem")) for info in processes],
        "mem": [bytes_of_size(info.get("mem_info1")) for info in processes],
    }
    for name, values in columns.items():
        yield f"{name}_max", max(values, default=0)
        yield f"{name}_sum", sum(values)


def number_or_zero(value: object) -> float:
    """Return a number of an info object; what could not be read counts nothing."""
    return float(value) if isinstance(value, int | float) else 0.0


def bytes_of_size(text: object) -> int:
    """Return the bytes of a size such as 1.40M; what could not be read counts nothing."""
    match = _SIZE.fullmatch(str(text))
    return 0 if match is None else round(float(match[1]) * 1024 ** _UNITS.index(match[2]))


def metric_name(watcher: str) -> str:
    """Return a watcher's name as one level of a name in statsd."""
    return _NOT_IN_A_NAME.sub("_", topic_name(watcher)[:LONGEST_NAME])
