"""The plugin that publishes statistics; what circusd-stats runs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from typing import Any, ClassVar

from cvec_circus_core import api
from cvec_circus_core.api import CircusPlugin, ConfigError
from cvec_circus_plugins.stats.beat import Beat
from cvec_circus_plugins.stats.roster import Refused, Roster
from cvec_circus_plugins.stats.sampler import Sampler, Sources
from cvec_circus_plugins.stats.sockets import Sockets

log = logging.getLogger("circus.plugins.statistics")

STATSPOINT = "tcp://127.0.0.1:5557"
_YES = frozenset({"1", "true", "yes", "on"})


class Statistics(CircusPlugin):
    """Publishes what processes and sockets use, about once a second while somebody listens.

    Options: ``statspoint`` (tcp://127.0.0.1:5557), where to publish; ``interval`` (1.0), seconds
    between two samples; ``pss`` (False), whether shared memory is counted in parts, too.
    """

    name = "statistics"
    topics: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar[frozenset[str] | None] = frozenset()

    def __init__(
        self,
        *args: Any,
        statspoint: str = STATSPOINT,
        interval: str | float = 1.0,
        pss: str | bool = False,
        access: str | None = None,
        **config: Any,
    ) -> None:
        super().__init__(*args, **config)
        self.statspoint = statspoint
        self.interval = _seconds(interval)
        self.pss = str(pss).strip().lower() in _YES
        self.access = access
        self._audience: api.StatsEndpoint | None = None
        self._beat: Beat | None = None
        self._sampler: Sampler | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._complaint: str | None = None

    async def handle_init(self) -> None:
        """Bind the endpoint. Raises `CircusError` where that can not be."""
        loop = asyncio.get_running_loop()
        clock = api.AsyncioClock(loop)
        access = await self._who_may_read()
        self._roster = Roster(self.acall, os.getpid())
        sources = Sources(
            self._roster, api.Census(clock), api.ExtraStats.installed(), Sockets(self.acall)
        )
        self._beat = Beat(clock, self.interval, self._begin_sample)
        self._audience = api.StatsEndpoint(self.statspoint, access, self._on_audience)
        self._sampler = Sampler(sources, self._audience, pss=self.pss)
        log.info("Statistics at %s", self._audience.endpoint)

    def handle_recv(self, data: Any) -> None:
        """Let events pass: none are subscribed to."""

    async def handle_stop(self) -> None:
        """Publish nothing more."""
        if self._beat is not None:
            self._beat.want(False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._audience is not None:
            self._audience.close()

    async def _who_may_read(self) -> Mapping[str, Any]:
        if self.access is not None:
            told: Mapping[str, Any] = json.loads(self.access)
            return told
        reply = await self.acall("globaloptions", keys=list(api.ACCESS))
        if reply["status"] == "error":
            raise Refused(f"the daemon does not tell who may read: {reply.get('reason')}")
        options: Mapping[str, Any] = reply["options"]
        return options

    def _on_audience(self) -> None:
        if self._beat is not None and self._audience is not None:
            self._beat.want(self._audience.has_audience)

    def _begin_sample(self) -> None:
        task = asyncio.get_running_loop().create_task(self._sample(), name="sample")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sample(self) -> None:
        assert self._beat is not None
        assert self._sampler is not None
        before = api.thread_seconds()
        try:
            await self._sampler.sample()
            self._complaint = None
        except api.CircusError as error:
            self._roster.forget()
            self._complain(str(error))
        except Exception as error:
            if self._complain(f"{type(error).__name__}: {error}"):
                log.exception("a sample failed; going on")
        finally:
            self._beat.sampled(api.thread_seconds() - before)

    def _complain(self, sentence: str) -> bool:
        """Say why there is no sample, once for each reason in a row; tell whether it was said."""
        is_news = sentence != self._complaint
        if is_news:
            log.warning("no sample: %s; trying on", sentence)
        self._complaint = sentence
        return is_news


def _seconds(text: str | float) -> float:
    try:
        seconds = float(text)
    except (TypeError, ValueError):
        raise ConfigError(f"interval isn't a number: {text!r}") from None
    if not 0.1 <= seconds <= 3600:
        raise ConfigError(f"interval must be 0.1 to 3600 seconds, not {seconds:g}")
    return seconds
