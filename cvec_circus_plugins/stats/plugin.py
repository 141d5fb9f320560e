"""The plugin that publishes statistics; what circusd-stats runs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cvec_circus_core import api
from cvec_circus_core.api import BOOLEAN, DURATION, TEXT, CircusPlugin, between, option, or_none
from cvec_circus_plugins.stats.process_list import ProcessList, RequestRefused
from cvec_circus_plugins.stats.sampler import Sampler, Sources
from cvec_circus_plugins.stats.sampling_timer import SamplingTimer
from cvec_circus_plugins.stats.socket_statistics import SocketStatistics

log = logging.getLogger("circus.plugins.statistics")

BIND_PATIENCE = 5.0
"""Seconds for which the endpoint may still be somebody else's."""


@dataclass(frozen=True, kw_only=True)
class StatisticsSettings:
    """Where statistics are published, how often, and to whom."""

    statspoint: str = option(
        "tcp://127.0.0.1:5557", TEXT, "where to publish; in a file, stats_endpoint of the daemon"
    )
    interval: float = option(
        1.0,
        between(DURATION, 0.1, 3600),
        "seconds between two samples; in a file, stats_interval of the daemon",
    )
    pss: bool = option(
        False,
        BOOLEAN,
        "tell memory with shared parts counted in parts, too; in a file, stats_pss of the daemon",
    )
    access: str | None = option(
        None, or_none(TEXT), "who may read, as JSON; the daemon tells it by itself"
    )


class Statistics(CircusPlugin):
    """Publishes what processes and sockets use, about once a second while somebody listens.

    The daemon runs it by itself, as the watcher ``circusd-stats``, where ``stats_endpoint`` is set.
    A section of its own takes the place of that, to run it in a thread of the daemon for instance.
    """

    name = "statistics"
    settings_type: ClassVar[type[StatisticsSettings]] = StatisticsSettings
    settings: StatisticsSettings
    timeout: ClassVar[float] = 5.0
    topics: ClassVar[tuple[str, ...]] = ("audit.circus.reloadconfig",)
    """After which keys may not be let in any more that were before."""

    def handle_config(self) -> None:
        """Begin with nothing."""
        self._endpoint: api.StatsEndpoint | None = None
        self._timer: SamplingTimer | None = None
        self._sampler: Sampler | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_complaint: str | None = None

    async def handle_init(self) -> None:
        """Bind the endpoint. Raises `CircusError` where that can not be."""
        loop = asyncio.get_running_loop()
        clock = api.AsyncioClock(loop)
        access = await self._who_may_read()
        self._processes = ProcessList(self.acall, os.getpid())
        sources = Sources(
            self._processes,
            api.Census(clock),
            api.ExtraStats.installed(),
            SocketStatistics(self.acall, api.read_sockets),
        )
        self._timer = SamplingTimer(clock, self.settings.interval, self._begin_sample)
        self._endpoint = await self._bind(access)
        self._sampler = Sampler(sources, self._endpoint, pss=self.settings.pss)
        log.info("Statistics at %s", self._endpoint.endpoint)

    def handle_recv(self, data: tuple[str, str]) -> None:
        """Let the list of keys hold as it is now."""
        if self._endpoint is not None:
            self._endpoint.renew()

    async def handle_stop(self) -> None:
        """Publish nothing more."""
        if self._timer is not None:
            self._timer.set_wanted(False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._endpoint is not None:
            self._endpoint.close()

    async def _bind(self, access: Mapping[str, Any]) -> api.StatsEndpoint:
        give_up_at = asyncio.get_running_loop().time() + BIND_PATIENCE
        while True:
            try:
                return api.StatsEndpoint(self.settings.statspoint, access, self._on_audience)
            except api.SystemProblem:
                # The process that this one replaces may be about to leave.
                if asyncio.get_running_loop().time() >= give_up_at:
                    raise
            await asyncio.sleep(0.2)

    async def _who_may_read(self) -> Mapping[str, Any]:
        if self.settings.access is not None:
            access: Mapping[str, Any] = json.loads(self.settings.access)
            return access
        reply = await self.acall("globaloptions", keys=list(api.ACCESS))
        if reply["status"] == "error":
            raise RequestRefused(f"the daemon does not tell who may read: {reply.get('reason')}")
        options: Mapping[str, Any] = reply["options"]
        return options

    def _on_audience(self) -> None:
        if self._timer is not None and self._endpoint is not None:
            self._timer.set_wanted(self._endpoint.has_audience)

    def _begin_sample(self) -> None:
        task = asyncio.get_running_loop().create_task(self._sample(), name="sample")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sample(self) -> None:
        assert self._timer is not None
        assert self._sampler is not None
        before = api.thread_seconds()
        try:
            await self._sampler.sample()
            self._last_complaint = None
        except api.CircusError as error:
            self._processes.forget()
            self._complain(api.escaped(error))
        except Exception as error:
            if self._complain(f"{type(error).__name__}: {error}"):
                log.exception("a sample failed; going on")
        finally:
            self._timer.finish(api.thread_seconds() - before)

    def _complain(self, sentence: str) -> bool:
        """Say why there is no sample, once for each reason in a row; tell whether it was said."""
        is_news = sentence != self._last_complaint
        if is_news:
            log.warning("no sample: %s; trying on", sentence)
        self._last_complaint = sentence
        return is_news
