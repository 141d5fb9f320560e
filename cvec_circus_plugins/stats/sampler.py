"""One sample: who is there, what do they use, and tell those who want to know.

Only what somebody has subscribed to is measured, in one look at the process table for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cvec_circus_core.api import StatsSubject, topic_name
from cvec_circus_plugins.stats.bodies import DAEMONS, Published, of_daemons, of_watcher
from cvec_circus_plugins.stats.roster import Roster
from cvec_circus_plugins.stats.sockets import SOCKETS, Sockets

KIN_FOR = 5.0
"""Seconds between two looks at who descends from whom, which costs a reading of all of /proc."""


class Census(Protocol):
    """Looks at processes."""

    def take(
        self, pids: Iterable[int], *, children: bool, pss: bool, kin_for: float
    ) -> Mapping[int, Any]:
        """Return an info object for each, or a text."""


class Extras(Protocol):
    """Asks other packages for their numbers."""

    async def of(self, subjects: list[StatsSubject]) -> Mapping[int, Mapping[str, Any]]:
        """Return them by pid."""


class Audience(Protocol):
    """Those who listen."""

    def wants(self, group: str) -> bool:
        """Tell whether anybody wants something of a group."""

    def send(self, topic: str, body: Mapping[str, Any]) -> None:
        """Send something to whoever wants it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where numbers come from."""

    roster: Roster
    census: Census
    extras: Extras
    sockets: Sockets


class Sampler:
    """Takes samples."""

    def __init__(self, sources: Sources, audience: Audience, *, pss: bool = False) -> None:
        self._from = sources
        self._audience = audience
        self._pss = pss

    async def sample(self) -> None:
        """Measure what is wanted, and send it. Raises `CircusError` where nobody tells who is."""
        roster, wants = self._from.roster, self._audience.wants
        await roster.renew()
        watchers = {name: wids for name, wids in roster.watchers.items() if wants(topic_name(name))}
        daemons = roster.daemons if wants(DAEMONS) else {}
        pids = {pid for wids in watchers.values() for pid in wids} | set(daemons)
        infos = self._from.census.take(pids, children=False, pss=self._pss, kin_for=KIN_FOR)
        subjects = [
            StatsSubject(name, wid, pid)
            for name, wids in watchers.items()
            for pid, wid in wids.items()
        ]
        extras = await self._from.extras.of(subjects)
        if daemons:
            self._send(of_daemons(daemons, infos))
        for name, wids in watchers.items():
            self._send(of_watcher(name, wids, infos, extras))
        if wants(SOCKETS):
            self._send(await self._from.sockets.sample())

    def _send(self, published: Iterable[Published]) -> None:
        for topic, body in published:
            self._audience.send(topic, body)
