"""HttpObserver: asks a web address now and then, and restarts a watcher that does not answer.

The request is made in a thread of its own (`_bounded_thread.py`), so that neither a slow server nor
a slow name service holds up the plugin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from cvec_circus_core.api import TEXT, option
from cvec_circus_plugins import _http
from cvec_circus_plugins._bounded_thread import BoundedThread
from cvec_circus_plugins._probe import Probe, ProbeFailure, ProbeSettings

NO_ANSWER = 599
"""Where there is no status, this stands for it, as it did in the older system."""
_FIRST_ERROR = 300
"""Redirections are followed: one that is left leads nowhere."""


@dataclass(frozen=True, kw_only=True)
class HttpSettings(ProbeSettings):
    """Which address is asked."""

    check_url: str = option("http://localhost/", TEXT, "the address that is asked for")

    def __post_init__(self) -> None:
        """Look at the address. Raises `ConfigError`."""
        _http.check_url("check_url", self.check_url)


class HttpObserver(Probe):
    """Asks for a web address every ``loop_rate`` seconds, and restarts who does not answer.

    Something is wrong where the status is not one of success, redirections having been followed,
    where no connection comes about, and where the answer is not complete in time. Under
    ``circus.APPLICATION.watcher.http_stats`` statsd is told ``request_time`` (milliseconds),
    ``error``, ``error.STATUS`` (599 where there was none), ``restart_on_error`` and
    ``restart_on_timeout``.
    """

    name = "http_observer"
    topic = "http_stats"
    settings_type: ClassVar[type[HttpSettings]] = HttpSettings
    settings: HttpSettings

    def handle_init(self) -> None:
        """Make ready."""
        self._request_thread = BoundedThread("http_observer request")

    async def probe(self) -> ProbeFailure | None:
        """Ask once."""
        url, limit = self.settings.check_url, self.settings.timeout
        request = _http.HttpRequest(url=url, by_proxy=False)
        assert self.loop is not None
        started_at = self.loop.time()
        try:
            status = await self._request_thread.run(partial(_http.send, request, limit), limit)
        except TimeoutError:
            self.statsd.incr(f"{self.topic}.error.{NO_ANSWER}")
            return ProbeFailure(f"{_http.origin(url)} does not answer within {limit:g} s", True)
        except _http.NoResponse as error:
            self.statsd.incr(f"{self.topic}.error.{NO_ANSWER}")
            return ProbeFailure(f"{_http.origin(url)} does not answer: {error}")
        self.statsd.timing(f"{self.topic}.request_time", 1000 * (self.loop.time() - started_at))
        if status < _FIRST_ERROR:
            return None
        self.statsd.incr(f"{self.topic}.error.{status}")
        return ProbeFailure(f"{_http.origin(url)} answers with status {status}")
