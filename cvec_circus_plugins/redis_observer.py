"""RedisObserver: asks a Redis server how it fares, and restarts a watcher when it does not tell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from cvec_circus_core.api import DURATION, TEXT, ConfigError, at_least, escaped, option
from cvec_circus_plugins._probe import Probe, ProbeFailure, ProbeSettings

try:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError
except ModuleNotFoundError as error:
    if error.name != "redis":
        raise
    raise ModuleNotFoundError(
        "the package redis is missing, pip install 'cvec-circus[redis]' brings it", name="redis"
    ) from None

SCHEMES = ("redis", "rediss", "unix")

FIELDS = (
    *("connected_clients", "blocked_clients", "connected_slaves", "rejected_connections"),
    *("used_memory", "used_memory_peak", "used_memory_rss", "used_memory_lua"),
    *("mem_fragmentation_ratio", "pubsub_channels", "pubsub_patterns"),
    *("expired_keys", "evicted_keys", "keyspace_hits", "keyspace_misses"),
    *("total_connections_received", "total_commands_processed", "instantaneous_ops_per_sec"),
    *("latest_fork_usec", "rdb_changes_since_last_save", "used_cpu_sys", "used_cpu_user"),
    "uptime_in_seconds",
)
"""Numbers of INFO that become gauges, where the server tells them."""


@dataclass(frozen=True, kw_only=True)
class RedisSettings(ProbeSettings):
    """Which server is asked."""

    redis_url: str = option(
        "redis://localhost:6379/0",
        TEXT,
        "the server: redis://, rediss:// or unix://, with user and password where it wants them",
        secret=True,
    )
    timeout: float = option(
        5.0, at_least(DURATION, 0.01), "seconds after which an answer does not count any more"
    )

    def __post_init__(self) -> None:
        """Look at the address. Raises `ConfigError`, which does not tell it."""
        parts = urlsplit(self.redis_url)
        try:
            is_good = parts.scheme in SCHEMES and (parts.port is None or bool(parts.hostname))
        except ValueError:
            is_good = False
        if not is_good:
            raise ConfigError("redis_url isn't an address such as redis://localhost:6379/0")


class RedisObserver(Probe):
    """Asks a Redis server for INFO every ``loop_rate`` seconds, and restarts who does not answer.

    It needs the package ``redis``: ``pip install 'cvec-circus[redis]'``. Under
    ``circus.APPLICATION.watcher.redis_stats`` statsd is told the gauges of memory, clients, keys
    and commands by their names in INFO, such as ``used_memory`` and ``keyspace_hits``, and the
    counters ``error``, ``restart_on_error`` and ``restart_on_timeout``.
    """

    name = "redis_observer"
    topic = "redis_stats"
    settings_type: ClassVar[type[RedisSettings]] = RedisSettings
    settings: RedisSettings

    def handle_init(self) -> None:
        """Make a client, which connects when it is used."""
        self._redis: Any = Redis.from_url(self.settings.redis_url)

    async def handle_stop(self) -> None:
        """Close the connection."""
        await self._redis.aclose()
        super().handle_stop()

    async def probe(self) -> ProbeFailure | None:
        """Ask once."""
        limit = self.settings.timeout
        try:
            async with asyncio.timeout(limit):
                info = await self._redis.info()
        except TimeoutError:
            # A late answer must not be taken for that to the next question.
            await self._redis.connection_pool.disconnect()
            return ProbeFailure(f"{self._server_name} does not answer within {limit:g} s", True)
        except (RedisError, OSError) as error:
            reason = escaped(str(error) or type(error).__name__)
            return ProbeFailure(f"{self._server_name} does not answer: {reason}")
        for key, value in gauges(info):
            self.statsd.gauge(f"{self.topic}.{key}", value)
        return None

    @property
    def _server_name(self) -> str:
        parts = urlsplit(self.settings.redis_url)
        if parts.scheme == "unix":
            return f"redis at {parts.path}"
        return f"redis at {parts.hostname or 'localhost'}:{parts.port or 6379}"


def gauges(info: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the numbers that are told, of those that a server tells."""
    return [(key, info[key]) for key in FIELDS if isinstance(info.get(key), int | float)]
