"""What pages know of one daemon: kept up to date by its events, never by asking again and again.

An event says which watcher has changed; how it fares is then asked once for all that came within a
moment. When the daemon is found again after it was away, everything is asked. What is published of
statistics is heard while a browser is there.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

import zmq

from cvec_circus_core.api import CallError, Person
from cvec_circus_plugins.commands._status_table import shown_state
from cvec_circus_plugins.httpd.daemon_link import DaemonLink, Reply
from cvec_circus_plugins.httpd.event_log import AUDIT, EventLog
from cvec_circus_plugins.httpd.feed import Feed
from cvec_circus_plugins.httpd.settings import DaemonAddress
from cvec_circus_plugins.httpd.statistics_switch import WATCHER, added_endpoint
from cvec_circus_plugins.httpd.usage import UsageTable

log = logging.getLogger(__name__)

GATHERING = 0.03
"""Seconds for which changes gather before the daemon is asked."""
PAUSE = 0.1
"""Seconds between two questions, at least."""
ASKED_BY_NAME = 8
"""Watchers that are asked for one by one; when more have changed, all are asked for at once."""
STATISTICS_STAY = 20.0
"""Seconds for which statistics are heard after the last browser has left."""
RETRY = 1.0

TOPICS = ("watcher.", AUDIT, "plugin.")

Watcher = dict[str, Any]
OnOutput = Callable[[str, bytes], None]


def daemon_key(endpoint: str) -> str:
    """Return what a daemon is called in addresses of pages."""
    return sha256(endpoint.encode()).hexdigest()[:8]


class DaemonModel:
    """One daemon as pages see it; belongs to the loop."""

    def __init__(
        self, context: zmq.Context[Any], address: DaemonAddress, feed: Feed, on_output: OnOutput
    ) -> None:
        self.key = daemon_key(address.endpoint)
        self.endpoint = address.endpoint
        self.connected = False
        self.reason: str | None = "not connected yet"
        """Why it is not connected."""
        self.stats_endpoint: str | None = None
        self.watchers: dict[str, Watcher] = {}
        self.log = EventLog(self.key)
        self.usage = UsageTable()
        self.link = DaemonLink(context, address, self)
        self._feed = feed
        self._on_output = on_output
        self._changed: set[str] = set()
        self._all_changed = True
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._leave_statistics: asyncio.TimerHandle | None = None
        self._hears_statistics = False

    def start(self) -> None:
        """Begin to follow the daemon."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._connect(), name=f"connect {self.endpoint}"),
            loop.create_task(self._follow(), name=f"follow {self.endpoint}"),
        ]

    async def close(self) -> None:
        """Follow it no longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._leave_statistics is not None:
            self._leave_statistics.cancel()
        await self.link.close()

    async def ask(
        self, command: str, properties: Mapping[str, Any], person: Person, patience: float
    ) -> Reply:
        """Return the daemon's reply to a person's request. Raises `CallError`."""
        return await self.link.ask(command, properties, person, patience)

    def snapshot(self) -> dict[str, Any]:
        """Return everything that the overview shows."""
        return {
            "type": "snapshot",
            "daemon": self.key,
            "connection": self.connection(),
            "watchers": self.watchers,
            "usage": self.usage.sums,
            "history": self.usage.history(),
        }

    def audience_changed(self, has_audience: bool) -> None:
        """Hear statistics while somebody looks, and a little longer."""
        if self._leave_statistics is not None:
            self._leave_statistics.cancel()
            self._leave_statistics = None
        if has_audience:
            self._hear_statistics()
        elif self._hears_statistics:
            loop = asyncio.get_running_loop()
            self._leave_statistics = loop.call_later(STATISTICS_STAY, self._stop_statistics)

    def look_again(self) -> None:
        """Ask for everything, soon."""
        self._all_changed = True
        self._wake.set()

    async def refresh(self) -> None:
        """Ask for everything now. Raises `CallError`."""
        await self._ask_for_all()

    # What the link tells.

    def on_event(self, topic: bytes, body: bytes) -> None:
        """Take an event."""
        try:
            facts: dict[str, Any] = json.loads(body)
        except ValueError:
            return
        name = topic.decode(errors="replace")
        self._feed.event(self.log.add(name, facts))
        self._note_change(name, facts)

    def on_output(self, topic: bytes, body: bytes) -> None:
        """Take a piece of output."""
        self._on_output(self.key, body)

    def on_statistic(self, topic: bytes, body: bytes) -> None:
        """Take a statistic."""
        states = self.usage.take(topic, body)
        if states is None:
            return
        kind, values = states
        if kind == "usage":
            self._feed.states(kind, self.key, values)
        elif kind == "sockets":
            self._feed.states(kind, self.key, values, topic=kind)
        else:
            for mailbox in self._feed.mailboxes:
                if mailbox.watcher is not None and mailbox.watcher[0] == self.key:
                    own = {
                        pid: info
                        for pid, info in values.items()
                        if info["watcher"] == mailbox.watcher[1]
                    }
                    if own:
                        mailbox.put_states(kind, self.key, own)

    def on_connected(self, connected: bool) -> None:
        """Be told that the daemon is there, or gone."""
        if connected:
            self.look_again()
        elif self.connected:
            self._lost("the connection to the daemon is gone")

    # What follows from it.

    def _note_change(self, topic: str, facts: Mapping[str, Any]) -> None:
        name = facts.get("watcher")
        if topic.endswith((".add", ".remove")) or not isinstance(name, str) or not name:
            self._all_changed = True
        else:
            self._changed.add(name)
        self._wake.set()

    async def _connect(self) -> None:
        while True:
            try:
                await self.link.open(TOPICS)
                return
            except CallError as error:
                self._lost(str(error))
            await asyncio.sleep(RETRY)

    async def _follow(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHERING)
            self._wake.clear()
            try:
                await self._ask_for_changes()
            except CallError as error:
                self._lost(str(error))
                self._all_changed = True
                asyncio.get_running_loop().call_later(RETRY, self._wake.set)
            except Exception:
                log.exception("what daemon %s tells could not be taken", self.endpoint)
            await asyncio.sleep(PAUSE - GATHERING)

    async def _ask_for_changes(self) -> None:
        changed, self._changed = self._changed, set()
        if not self.connected or self._all_changed or len(changed) > ASKED_BY_NAME:
            self._all_changed = False
            await self._ask_for_all()
            return
        replies = await asyncio.gather(
            *(self.link.ask("status", {"name": name, "long": True}) for name in changed)
        )
        states = dict(zip(changed, map(_own_details, changed, replies), strict=True))
        if None in states.values():
            self._all_changed = True
            self._wake.set()
        fresh = {name: state for name, state in states.items() if state is not None}
        self.watchers.update(fresh)
        if fresh:
            self._feed.states("watchers", self.key, fresh)

    async def _ask_for_all(self) -> None:
        status = await self.link.ask("status", {"long": True})
        options = await self.link.ask("globaloptions", {"keys": ["stats_endpoint"]})
        for reply in (status, options):
            if reply.get("status") == "error":
                raise CallError(str(reply.get("reason")))
        self.watchers = {name: _with_shown(state) for name, state in status["details"].items()}
        self.usage.follow(self.watchers)
        was_connected, self.connected, self.reason = self.connected, True, None
        endpoint = options["options"].get("stats_endpoint")
        if endpoint is None and WATCHER in self.watchers:
            endpoint = added_endpoint(await self.link.ask("options", {"name": WATCHER}))
        if endpoint != self.stats_endpoint or not was_connected:
            self._stop_statistics()
            self.stats_endpoint = endpoint
        if self._feed.has_audience:
            self._hear_statistics()
        self._feed.snapshot(self.key, self.snapshot())
        if not was_connected:
            for event in self.log.found(self.watchers):
                self._feed.event(event)

    def _lost(self, reason: str) -> None:
        is_news = self.connected or self.reason != reason
        if self.connected:
            self._feed.event(self.log.lost(reason))
        self.connected, self.reason = False, reason
        if is_news:
            log.warning("daemon %s: %s; trying on", self.endpoint, reason)
            self._feed.states("connection", self.key, self.connection())

    def connection(self) -> dict[str, Any]:
        """Return whether it is there, and what it has."""
        return {
            "endpoint": self.endpoint,
            "connected": self.connected,
            "reason": self.reason,
            "statistics": self.stats_endpoint is not None,
        }

    def _hear_statistics(self) -> None:
        if self.stats_endpoint is not None and not self._hears_statistics:
            self._hears_statistics = True
            try:
                self.link.listen_to_statistics(self.stats_endpoint)
            except CallError as error:
                log.warning("daemon %s: no statistics: %s", self.endpoint, error)

    def _stop_statistics(self) -> None:
        self._leave_statistics = None
        self._hears_statistics = False
        self.link.listen_to_statistics(None)


def _own_details(name: str, reply: Reply) -> Watcher | None:
    details: Iterable[Any] = reply.get("details", {}).items()
    return next((_with_shown(state) for own_name, state in details if own_name == name), None)


def _with_shown(state: Mapping[str, Any]) -> Watcher:
    return {**state, "shown": shown_state(state)}
