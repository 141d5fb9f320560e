"""One endpoint, and who stands there: every message is tied to its caller.

Each handshake is answered by us (ZAP, RFC 27). The answer gives the connection a few words that
libzmq attaches to all its messages: the number of the handshake, for ipc the user and pid that the
kernel told libzmq when the connection was made, and for CURVE the key that was shown. The number
leads to the connection, and so to its user, for tcp of this machine (`connections.py`).

Events leave no room for a refusal, so the event endpoint ends the connections of those
who may not read, and does so before their handshake is answered. (Granting subscriptions one by
one, by XPUB_MANUAL, can be tricked: after an upstream message that is no subscription libzmq grants
the next ones to the wrong subscriber.)

Where CURVE is spoken the kernel is not asked: a key that is not let in gets no handshake at all.
When lists have changed, connections are ended whose key has no rights any more. Where only readers
are let in that is at once, also for those whose owner is not proven: nothing was subscribed
to over them, and who may come comes again. At other endpoints the rights count at once, and the
connection stays a little for the reply to the caller who asked for the change.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import Any

import zmq

from cvec_circus_core.control.peers.authentication import Bound, Handshake
from cvec_circus_core.control.peers.connections import Connections
from cvec_circus_core.control.peers.quotas import (
    CONNECTIONS_OF_ADDRESS,
    STRANGERS_STAY,
    ConnectionQuotas,
    LimitedConnection,
)
from cvec_circus_core.control.peers.socket_monitor import Monitor, News
from cvec_circus_core.model.access import (
    INSIDE,
    Authorize,
    Caller,
    KeyHolder,
    PeerIdentity,
    Stranger,
)
from cvec_circus_core.system.net.peers import Meeting, Peers, plain_host

_KNOWN_AT_MOST = 10_000
_NOT_GREETED = Stranger("the connection is not known")
_NO_KEY_YET = Stranger("no key was shown")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound

LAST_REPLIES = 1.0
"""Seconds that connections stay which have lost their rights."""

TurnAway = Callable[[Caller], None]
"""Is told who was not let in."""


class PeerAuthenticator:
    """Tells who is behind each message."""

    def __init__(
        self,
        domain: str,
        peers: Peers,
        authorize: Authorize,
        loop: asyncio.AbstractEventLoop,
        turned_away: TurnAway,
    ) -> None:
        self.domain = domain
        self._peers = peers
        self._authorize = authorize
        self._turned_away = turned_away
        self._known: dict[str, Caller] = {}
        self._loop = loop
        self._monitor: Monitor | None = None
        self._key_places: list[tuple[str, int]] = []
        self._holding = ConnectionQuotas(loop)
        self._connections = Connections(self._news, self, self._met)

    def guard(self, guarded: zmq.Socket[Any]) -> None:
        """Take over the connections of a socket that is not bound yet."""
        guarded.setsockopt(zmq.ZAP_DOMAIN, self.domain.encode())
        guarded.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self._monitor = Monitor(guarded, self.domain, self._loop, self._connections.look)

    def opened(self, bound: Bound) -> None:
        """Learn where the socket was bound."""
        if bound.by_key:
            host, _, port = bound.endpoint.rpartition("/")[2].rpartition(":")
            self._key_places.append((plain_host(host), int(port)))

    def greet(self, said: Handshake) -> str | None:
        """Answer a handshake: return the words that will stand on every message after it.

        None refuses it.
        """
        number = self._connections.next_number()
        if said.key is not None:
            caller = self._authorize(KeyHolder(said.key, said.address))
            if not self._lets_in(caller):
                self._turned_away(caller)
                return None
            return f"{number} key {said.key} {said.address}"
        # Over ipc "PLACE:UID:GID:PID", over tcp an address and nothing else.
        words = said.address.rsplit(":", 3)
        if len(words) == 4 and words[0] == "localhost" and all(map(_is_number, words[1:])):
            return f"{number} {words[1]} {words[3]}"
        return str(number)

    def caller_of(self, frame: zmq.Frame) -> Caller:
        """Return who has sent a frame."""
        try:
            words = str(frame.get("User-Id"))
        except zmq.ZMQError:
            return self._authorize(_without_words(frame))
        caller = self._known.get(words)
        if caller is None:
            if len(self._known) >= _KNOWN_AT_MOST:
                self._known.clear()
            caller = self._known[words] = self._authorize(self._identity(words, frame))
        if not caller.rights.everything:
            number = int(words.partition(" ")[0])
            self._connections.heard(int(frame.get(zmq.SRCFD)), number)
        return caller

    def meet(self, fd: int) -> Meeting:
        """Tell who is at the other end of a descriptor, as far as that is known by now."""
        meeting = self._peers.meet(fd)
        if meeting.place is not None and self._asks_for_keys(meeting.place):
            meeting.caller = _NO_KEY_YET
        return meeting

    def renew(self) -> None:
        """Authorize everybody anew, those who are in, too."""
        self._known.clear()
        if self._key_places:
            self._loop.call_later(LAST_REPLIES, self._meet_again)

    def close(self) -> None:
        """Look after nobody any more; before the socket is closed."""
        self._holding.close()
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None

    def _lets_in(self, caller: Caller) -> bool:
        return caller.rights.any

    def _identity(self, words: str, frame: zmq.Frame) -> PeerIdentity:
        match words.split():
            case [number, "key", key, address]:
                holder = KeyHolder(key, address)
                self._shown(holder, int(frame.get(zmq.SRCFD)), int(number))
                return holder
            case [_, uid, pid]:
                return self._peers.user(int(uid), int(pid))
            case _:
                return self._connections.identity(int(frame.get(zmq.SRCFD)), int(words))

    def _shown(self, holder: KeyHolder, fd: int, number: int) -> None:
        """Count a connection as that of the caller who has shown the key."""
        caller = self._authorize(holder)
        connection = self._connections.is_of(fd, number, holder)
        if connection is not None and caller.rights.everything:
            self._connections.let_go(fd, number)
        elif connection is not None and not connection.belongs_to(caller.name):
            connection.end()

    def _news(self) -> Iterable[News]:
        return () if self._monitor is None else self._monitor.read()

    def _met(self, identity: PeerIdentity, meeting: Meeting) -> LimitedConnection | None:
        """Let every caller in: what they may do, they learn from the replies."""
        caller = self._authorize(identity)
        if caller.rights.everything:
            meeting.close()
            return None
        if identity is _NO_KEY_YET:
            # Until a key is shown, an address is all that is known of a caller.
            return self._holding.hold(meeting.origin, meeting, CONNECTIONS_OF_ADDRESS)
        stays = math.inf if caller.rights.any else STRANGERS_STAY
        return self._holding.hold(caller.name, meeting, stays=stays)

    def _met_again(self, identity: PeerIdentity, meeting: Meeting) -> None:
        if isinstance(identity, KeyHolder) and not self._lets_in(self._authorize(identity)):
            meeting.turn_away()
        else:
            meeting.close()

    def _meet_again(self) -> None:
        if self._monitor is not None:
            self._connections.meet_again(self._met_again)

    def _asks_for_keys(self, place: tuple[str, int]) -> bool:
        host, port = place
        return any(
            port == curve_port and at in (host, *_EVERYWHERE) for at, curve_port in self._key_places
        )


class ReadOnlyPeerAuthenticator(PeerAuthenticator):
    """Ends the connections of those who may not read."""

    def guard(self, guarded: zmq.Socket[Any]) -> None:
        """Take over the connections of a socket that is not bound yet."""
        super().guard(guarded)
        # Otherwise libzmq keeps subscriptions to itself that another subscriber has made before.
        guarded.setsockopt(zmq.XPUB_VERBOSE, 1)

    def renew(self) -> None:
        """Authorize everybody anew, those who are in, too."""
        self._known.clear()
        self._meet_again()

    def _lets_in(self, caller: Caller) -> bool:
        return caller.rights.reading

    def _met(self, identity: PeerIdentity, meeting: Meeting) -> LimitedConnection | None:
        if identity is _NO_KEY_YET or self._lets_in(self._authorize(identity)):
            return super()._met(identity, meeting)
        self._met_again(identity, meeting)
        return None

    def _met_again(self, identity: PeerIdentity, meeting: Meeting) -> None:
        caller = self._authorize(identity)
        if self._lets_in(caller):
            meeting.close()
            return
        if identity is not _NO_KEY_YET:
            self._turned_away(caller)
        meeting.turn_away()


def _without_words(frame: zmq.Frame) -> PeerIdentity:
    """Return who sends what came through no handshake: threads of ours, by inproc."""
    try:
        frame.get(zmq.SRCFD)
    except zmq.ZMQError:
        return INSIDE
    return _NOT_GREETED


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()
