"""What those may take of us who may not do everything: connections, and memory for messages.

libzmq takes in all parts of a message before it tells of the first, and there is no end to how many
there may be. Nor does it count connections: a caller who may only look could take every descriptor.
So those of callers with limits are held, each by a second descriptor, for as long as they last:

* so many of one user, or of one address where no caller has shown an identity yet; more are ended
  at once;
* what comes over one is counted from its first byte on, and again from each message that we have
  seen. Who sends more than a message may be long, and no end of it, is shut out;
* of those who may nothing at all, for `STRANGERS_STAY` seconds: time enough to be told so.

A descriptor that is readable starts a look every `LOOK_OFTEN` seconds until nothing comes any more.
libzmq may be quicker than we are, and then nothing is seen, so while anybody is held there is a
look every `LOOK_SELDOM` seconds as well; without such callers there is none.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter

from cvec_circus_core.model.text import LineQuota, Share
from cvec_circus_core.system.net.peers import Meeting

log = logging.getLogger(__name__)

CONNECTIONS_OF_ONE = 64
"""Connections of a user who may not do everything, at one endpoint."""
CONNECTIONS_OF_ADDRESS = 256
"""Connections of an address from which no caller has shown an identity yet."""
CONNECTIONS_OF_ALL = 1024
"""Connections of all of them together."""
LOOK_OFTEN = 0.02
LOOK_SELDOM = 1.0
STRANGERS_STAY = 10.0
"""Seconds."""


class LimitedConnection:
    """One connection of a caller with limits."""

    __slots__ = ("_holding", "counted_at", "ends_at", "heard", "meeting", "name", "sent")

    def __init__(
        self, holding: ConnectionQuotas, name: str, meeting: Meeting, ends_at: float
    ) -> None:
        self._holding = holding
        self.ends_at = ends_at
        self.name = name
        self.meeting = meeting
        self.counted_at = meeting.received()
        self.sent = 0
        self.heard = False
        """Whether a message of the caller has been seen since the last look."""

    def belongs_to(self, name: str) -> bool:
        """Count it as that of a caller who is known by now; tell whether they may have it."""
        return self._holding.rename(self, name)

    def end(self) -> None:
        """End the connection."""
        self._holding.let_go(self)
        self.meeting.turn_away()

    def close(self) -> None:
        """Hold it no more: it is gone, or its user may do everything."""
        self._holding.let_go(self)
        self.meeting.close()


class ConnectionQuotas:
    """All held connections of one endpoint."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._counts: Counter[str] = Counter()
        self._told: set[str] = set()
        """Who has too many, and the log says so."""
        self._lines = LineQuota()
        self._held: set[LimitedConnection] = set()
        self._sending: set[LimitedConnection] = set()
        self._often: asyncio.TimerHandle | None = None
        self._seldom: asyncio.TimerHandle | None = None

    def hold(
        self,
        name: str,
        meeting: Meeting,
        most: int = CONNECTIONS_OF_ONE,
        stays: float = math.inf,
    ) -> LimitedConnection | None:
        """Hold a connection; where there are too many it is ended, and None returned."""
        if not meeting.is_held:
            return None
        if self._is_full(name, most):
            meeting.turn_away()
            return None
        connection = LimitedConnection(self, name, meeting, self._loop.time() + stays)
        self._counts[name] += 1
        self._held.add(connection)
        self._await(connection)
        if self._seldom is None:
            self._seldom = self._loop.call_later(LOOK_SELDOM, self._look_seldom)
        return connection

    def rename(self, one: LimitedConnection, name: str) -> bool:
        """Count a connection as another caller's; tell whether they may have one more."""
        if one.name == name or one not in self._held:
            return True
        self._forget_name(one)
        one.name = name
        is_full = self._is_full(name, CONNECTIONS_OF_ONE)
        self._counts[name] += 1
        return not is_full

    def let_go(self, one: LimitedConnection) -> None:
        """Hold a connection no more."""
        if one in self._held:
            self._held.discard(one)
            self._forget_name(one)
            self._sending.discard(one)
            self._loop.remove_reader(one.meeting.fileno())

    def close(self) -> None:
        """Hold none any more; they last as long as libzmq lets them."""
        for connection in tuple(self._held):
            connection.close()
        for timer in (self._often, self._seldom):
            if timer is not None:
                timer.cancel()
        self._often = self._seldom = None

    def _is_full(self, name: str, most: int) -> bool:
        if self._counts[name] < most and len(self._held) < CONNECTIONS_OF_ALL:
            return False
        if name not in self._told:
            self._told.add(name)
            count = self._counts[name]
            self._warn(name, f"has {count} connections; no more are taken until one of them ends")
        return True

    def _warn(self, name: str, sentence: str) -> None:
        """Write a line about a caller, who may connect again and again."""
        share = self._lines.take(name, self._loop.time())
        if share is not Share.DROPPED:
            more = "; more is not told for a while" if share is Share.LAST else ""
            log.warning("%s %s%s", name, sentence, more)

    def _forget_name(self, one: LimitedConnection) -> None:
        self._counts[one.name] -= 1
        if not self._counts[one.name]:
            del self._counts[one.name]
            self._told.discard(one.name)

    def _await(self, one: LimitedConnection) -> None:
        self._loop.add_reader(one.meeting.fileno(), self._begins, one)

    def _begins(self, one: LimitedConnection) -> None:
        """Look at a connection again and again, from the first that comes."""
        self._loop.remove_reader(one.meeting.fileno())
        if not one.meeting.counts_for_itself:
            one.counted_at = one.meeting.received()
        self._sending.add(one)
        if self._often is None:
            self._often = self._loop.call_later(LOOK_OFTEN, self._look_often)

    def _look_often(self) -> None:
        self._often = None
        for connection in tuple(self._sending):
            received = self._look_at(connection)
            is_quiet = received <= 0 or not connection.meeting.counts_for_itself
            if connection in self._sending and is_quiet and not connection.meeting.is_readable():
                self._sending.discard(connection)
                self._await(connection)
        if self._sending:
            self._often = self._loop.call_later(LOOK_OFTEN, self._look_often)

    def _look_seldom(self) -> None:
        self._seldom = None
        now = self._loop.time()
        for connection in tuple(self._held):
            if now >= connection.ends_at:
                connection.end()
            elif connection.meeting.counts_for_itself:
                self._look_at(connection)
        if self._held:
            self._seldom = self._loop.call_later(LOOK_SELDOM, self._look_seldom)

    def _look_at(self, one: LimitedConnection) -> int:
        """Count what has come over a connection since the last look, and end it if need be."""
        now = one.meeting.received()
        received, one.counted_at = now - one.counted_at, now
        if one.heard:
            one.sent, one.heard = 0, False
        else:
            one.sent += max(0, received)
        if one.sent > one.meeting.allowance:
            self._warn(one.name, "sends a message without an end; the connection is ended")
            one.end()
        return received
