"""One sample: who is there, what do they use, and tell those who want to know.

Only what somebody has subscribed to is measured, in one look at the process table for all of it.
Topics are told without their ``stat.``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from cvec_circus_core.api import StatsSubject, encode_event, topic_name
from cvec_circus_plugins.stats.bodies import Extra, Reading, group_body, process_body
from cvec_circus_plugins.stats.body_cache import BodyCache
from cvec_circus_plugins.stats.process_list import ProcessList

DAEMONS = "circus"
"""The group of the daemon's own processes."""
SOCKETS = "sockets"
"""The group of the managed sockets."""

KINSHIP_MAX_AGE = 5.0
"""Seconds between two looks at who descends from whom, which costs a reading of all of /proc."""


class Census(Protocol):
    """Looks at processes."""

    def read(self, pids: Iterable[int], *, pss: bool, kin_for: float) -> Mapping[int, Reading]:
        """Return what is so of each process that there is."""


class Extras(Protocol):
    """Asks other packages for their numbers."""

    async def of(self, subjects: list[StatsSubject]) -> Mapping[int, Extra]:
        """Return them by pid."""


class SocketReports(Protocol):
    """Looks at the managed sockets."""

    async def sample(self) -> Iterable[tuple[str | None, Mapping[str, Any]]]:
        """Return number and body of each, and the body of all without a number."""


class Audience(Protocol):
    """Those who listen."""

    def wants(self, group: str) -> bool:
        """Tell whether anybody wants something of a group."""

    def send(self, topic: str, body: bytes) -> None:
        """Send something to anyone who wants it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where numbers come from."""

    processes: ProcessList
    census: Census
    extras: Extras
    sockets: SocketReports


class Sampler:
    """Takes samples."""

    def __init__(self, sources: Sources, audience: Audience, *, pss: bool = False) -> None:
        self._from = sources
        self._audience = audience
        self._pss = pss
        self._bodies = BodyCache()

    async def sample(self) -> None:
        """Measure what is wanted, and send it. Raises `CircusError` where nobody tells who is."""
        processes, wants = self._from.processes, self._audience.wants
        await processes.renew()
        topics = {name: topic_name(name) for name in processes.watchers}
        watchers = {name: wids for name, wids in processes.watchers.items() if wants(topics[name])}
        daemons = processes.daemons if wants(DAEMONS) else {}
        pids = {pid for wids in watchers.values() for pid in wids} | set(daemons)
        readings = self._from.census.read(pids, pss=self._pss, kin_for=KINSHIP_MAX_AGE)
        extras = await self._extras(watchers)
        if daemons:
            self._send_daemons(daemons, readings)
        for name, wids in watchers.items():
            self._send_watcher(name, topics[name], wids, readings, extras)
        self._bodies.rotate()
        if wants(SOCKETS):
            for number, body in await self._from.sockets.sample():
                topic = SOCKETS if number is None else f"{SOCKETS}.{number}"
                self._audience.send(topic, encode_event(dict(body)))

    async def _extras(self, watchers: Mapping[str, Mapping[int, int]]) -> Mapping[int, Extra]:
        subjects = [
            StatsSubject(name, wid, pid)
            for name, wids in watchers.items()
            for pid, wid in wids.items()
        ]
        return await self._from.extras.of(subjects)

    def _send_daemons(self, roles: Mapping[int, str], readings: Mapping[int, Reading]) -> None:
        living = {pid: readings[pid] for pid in roles if pid in readings}
        for pid, reading in living.items():
            topic = f"{DAEMONS}.{pid}"
            make = partial(process_body, reading, None, name=roles[pid])
            self._audience.send(topic, self._bodies.process_body(topic, reading, None, make))
        group_readings = tuple(living.values())
        self._audience.send(
            DAEMONS,
            encode_event(group_body(group_readings, self._bodies.sums(DAEMONS, group_readings))),
        )

    def _send_watcher(
        self,
        watcher: str,
        group: str,
        wids: Mapping[int, int],
        readings: Mapping[int, Reading],
        extras: Mapping[int, Extra],
    ) -> None:
        # Who has gone is left out; an event tells of that.
        living = {pid: readings[pid] for pid in wids if pid in readings}
        for pid, reading in living.items():
            topic, extra = f"{group}.{pid}", extras.get(pid)
            make = partial(process_body, reading, extra, watcher=watcher, wid=wids[pid])
            self._audience.send(topic, self._bodies.process_body(topic, reading, extra, make))
        group_readings = tuple(living.values())
        more = (extras[pid] for pid in living if pid in extras)
        # A watcher may have the name of a group; its sums are kept apart by the blank.
        body = group_body(group_readings, self._bodies.sums(f"{group} ", group_readings), more)
        body["watcher"] = watcher
        self._audience.send(group, encode_event(body))
