"""What the observers of a service have in common: look, tell statsd, restart who is to blame.

A probe that fails gives a `ProbeFailure`. Probes never overlap: the next one begins ``loop_rate``
seconds after the last one has ended, and each has a time limit.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from cvec_circus_core.api import (
    DURATION,
    INTEGER,
    TEXT,
    CallError,
    at_least,
    option,
    or_none,
)
from cvec_circus_plugins.statsd import Observer, ObserverSettings

log = logging.getLogger("circus.plugins.observers")


@dataclass(frozen=True, slots=True)
class ProbeFailure:
    """What is wrong with the service that was looked at."""

    reason: str
    is_timeout: bool = False


@dataclass(frozen=True, kw_only=True)
class ProbeSettings(ObserverSettings):
    """How long a look may take, and what follows when it finds something."""

    timeout: float = option(
        10.0, at_least(DURATION, 0.01), "seconds after which an answer does not count any more"
    )
    restart_on_error: str | None = option(
        None,
        or_none(TEXT),
        "name or pattern of the watchers that are restarted when something is wrong",
    )
    restart_on_timeout: str | None = option(
        None,
        or_none(TEXT),
        "name or pattern of the watchers that are restarted when no answer comes in time",
    )
    failures: int = option(
        1, at_least(INTEGER, 1), "looks in a row that have to fail before anything is restarted"
    )


class Probe(Observer):
    """Looks at a service; a subclass says how, in `probe`, and under which name it counts."""

    settings_type = ProbeSettings
    settings: ProbeSettings
    topic = ""
    """First part of the names in statsd."""
    failures_in_a_row = 0
    """Looks in a row that have failed."""
    failures_answered = 0
    """How many of them led to a restart: new processes get as many chances as the old ones had."""

    async def probe(self) -> ProbeFailure | None:
        """Look, and tell what is wrong, if anything is."""
        raise NotImplementedError(f"{type(self).__name__} has no probe()")

    async def look_after(self) -> None:
        """Look, and act on what is found."""
        failure = await self.probe()
        if failure is None:
            if self.failures_in_a_row:
                log.info("%s: all is well again", self.name)
            self.failures_in_a_row = self.failures_answered = 0
            return
        self.failures_in_a_row += 1
        self.statsd.incr(f"{self.topic}.error")
        log.warning("%s: %s (%d in a row)", self.name, failure.reason, self.failures_in_a_row)
        if self.failures_in_a_row - self.failures_answered < self.settings.failures:
            return
        self.failures_answered = self.failures_in_a_row
        if self.settings.restart_on_error:
            await self._restart(self.settings.restart_on_error, "restart_on_error")
        if (
            failure.is_timeout
            and self.settings.restart_on_timeout
            and self.settings.restart_on_timeout != self.settings.restart_on_error
        ):
            await self._restart(self.settings.restart_on_timeout, "restart_on_timeout")

    async def _restart(self, watcher: str, why: str) -> None:
        self.statsd.incr(f"{self.topic}.{why}")
        try:
            reply = await self.acall("restart", name=watcher)
        except CallError as error:
            log.warning("%s: %s is not restarted: %s", self.name, watcher, error)
            return
        if reply.get("status") == "error":
            log.warning("%s: %s is not restarted: %s", self.name, watcher, reply.get("reason"))
        else:
            log.warning("%s: %s is restarted (%s)", self.name, watcher, why)
