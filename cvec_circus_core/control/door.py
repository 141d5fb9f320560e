"""One endpoint, and who stands there: every message is tied to its caller.

Each handshake is answered by us (ZAP, RFC 27). The answer gives the connection a few words that
libzmq attaches to all its messages: the number of the handshake, and for ipc the user and pid that
the kernel told libzmq when the connection was made. The number leads to the connection, and so to
its user, for tcp (`connections.py`).

Events leave no room for a refusal, so the door of the event endpoint ends the connections of those
who may not read, and does so before their handshake is answered. (Granting subscriptions one by
one, by XPUB_MANUAL, can be tricked: after an upstream message that is no subscription libzmq grants
the next ones to the wrong subscriber.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import zmq

from cvec_circus_core.control.connections import Connections
from cvec_circus_core.control.draining import Drain
from cvec_circus_core.control.monitoring import Monitor, News
from cvec_circus_core.model.access import Anybody, Caller, Judge, Stranger, Visitor
from cvec_circus_core.system.peers import Meeting, Peers

_KNOWN_AT_MOST = 10_000
_INSIDE = Anybody("inside the daemon")
_NOT_GREETED = Stranger("the connection is not known")

TurnAway = Callable[[Visitor], None]
"""Is told who was not let in."""


class Entrance(Protocol):
    """Where messages come in, and who tells from whom they are."""

    def guard(self, guarded: zmq.Socket[Any]) -> None:
        """Take over the connections of a socket that is not bound yet."""

    def visitor(self, frame: zmq.Frame) -> Visitor:
        """Return who has sent a frame."""

    def renew(self) -> None:
        """Judge everybody anew."""

    def close(self) -> None:
        """Look after nobody any more; before the socket is closed."""


class OpenDoor:
    """Where everybody is let in, on purpose."""

    def __init__(self, where: str, judge: Judge) -> None:
        self._visitor = judge(Anybody(where))

    def guard(self, guarded: zmq.Socket[Any]) -> None:
        """Leave the socket as it is."""

    def visitor(self, frame: zmq.Frame) -> Visitor:
        """Return the same for all."""
        return self._visitor

    def renew(self) -> None:
        """Change nothing."""

    def close(self) -> None:
        """There is nothing to close."""


class Door:
    """Tells who is behind each message."""

    def __init__(
        self, domain: str, peers: Peers, judge: Judge, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.domain = domain
        self._peers = peers
        self._judge = judge
        self._known: dict[str, Visitor] = {}
        self._loop = loop
        self._monitor: Monitor | None = None
        self._connections = Connections(self._news, peers, self._met)

    def guard(self, guarded: zmq.Socket[Any]) -> None:
        """Take over the connections of a socket that is not bound yet."""
        guarded.setsockopt(zmq.ZAP_DOMAIN, self.domain.encode())
        guarded.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self._monitor = Monitor(guarded, self.domain, self._loop, self._connections.look)

    def greet(self, address: str) -> str:
        """Answer a handshake: return the words that will stand on every message after it."""
        number = self._connections.next_number()
        # Over ipc "PLACE:UID:GID:PID", over tcp an address and nothing else.
        words = address.rsplit(":", 3)
        if len(words) == 4 and words[0] == "localhost" and all(map(_is_number, words[1:])):
            return f"{number} {words[1]} {words[3]}"
        return str(number)

    def visitor(self, frame: zmq.Frame) -> Visitor:
        """Return who has sent a frame."""
        try:
            words = str(frame.get("User-Id"))
        except zmq.ZMQError:
            return self._judge(_without_words(frame))
        known = self._known.get(words)
        if known is None:
            if len(self._known) >= _KNOWN_AT_MOST:
                self._known.clear()
            known = self._known[words] = self._judge(self._caller(words, frame))
        return known

    def renew(self) -> None:
        """Judge everybody anew."""
        self._known.clear()

    def close(self) -> None:
        """Look after nobody any more; before the socket is closed."""
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None

    def _caller(self, words: str, frame: zmq.Frame) -> Caller:
        match words.split():
            case [_, uid, pid]:
                return self._peers.user(int(uid), int(pid))
            case _:
                return self._connections.caller(int(frame.get(zmq.SRCFD)), int(words))

    def _news(self) -> Iterable[News]:
        return () if self._monitor is None else self._monitor.read()

    def _met(self, caller: Caller, meeting: Meeting) -> None:
        """Let everybody in: what he may is told him in answer to what he asks."""
        meeting.close()


class ReadersDoor(Door):
    """Ends the connections of those who may not read."""

    def __init__(
        self,
        domain: str,
        peers: Peers,
        judge: Judge,
        loop: asyncio.AbstractEventLoop,
        turned_away: TurnAway,
    ) -> None:
        super().__init__(domain, peers, judge, loop)
        self._turned_away = turned_away

    def renew(self) -> None:
        """Judge everybody anew, those who are in, too."""
        super().renew()
        if self._monitor is not None:
            self._connections.meet_again()

    def _met(self, caller: Caller, meeting: Meeting) -> None:
        visitor = self._judge(caller)
        if visitor.rights.reading:
            meeting.close()
        else:
            self._turned_away(visitor)
            meeting.turn_away()


class Doorman:
    """Answers the handshakes of a context, each for its door."""

    def __init__(self, context: zmq.Context[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._doors: dict[bytes, Door] = {}
        self._socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self._socket.linger = 0
        try:
            self._socket.bind("inproc://zeromq.zap.01")
        except BaseException:
            self._socket.close()
            raise
        self._drain = Drain(self._socket, loop, self._answer)

    def watch(self, door: Door) -> None:
        """Answer for a door."""
        self._doors[door.domain.encode()] = door

    def close(self) -> None:
        """Answer nobody any more."""
        self._drain.close()
        self._socket.close()

    def _answer(self, frames: list[bytes]) -> None:
        # As in RFC 27: an envelope, the version, a number, the domain, the address, …
        end = frames.index(b"") + 1
        envelope, (version, number, domain, address, *_) = frames[:end], frames[end:]
        door = self._doors.get(domain)
        if door is None:
            answer = [b"400", b"no door has this name", b"", b""]
        else:
            words = door.greet(address.decode("utf-8", "replace"))
            answer = [b"200", b"", words.encode(), b""]
        self._socket.send_multipart([*envelope, version, number, *answer], zmq.NOBLOCK)
        self._drain.look_again()


def _without_words(frame: zmq.Frame) -> Caller:
    """Return who sends what came through no handshake: threads of ours, by inproc."""
    try:
        frame.get(zmq.SRCFD)
    except zmq.ZMQError:
        return _INSIDE
    return _NOT_GREETED


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()
