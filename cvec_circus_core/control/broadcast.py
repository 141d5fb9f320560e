"""One socket that publishes, and knows what its audience has subscribed to.

An XPUB, because it tells what is subscribed to: while nobody listens, nobody has to make what would
be sent. A subscriber that does not read loses messages past a bound, and nobody else notices.

A publisher may say what "everything" is. Then the socket leaves each subscription to us
(XPUB_MANUAL), and one to the empty topic is granted as one to that.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import zmq

from cvec_circus_core.control.peers.authentication import Authentication, Bindable, open_behind
from cvec_circus_core.control.socket_reader import SocketReader

_LONGEST_TOPIC = 1024
_TOPICS = 10_000
"""What is subscribed to beyond is sent as well, where there is anything to be sent."""


def _nobody_cares() -> None:
    pass


class Broadcast:
    """Publishes on one endpoint; belongs to the loop. Raises `CannotBind` when made."""

    def __init__(
        self,
        context: zmq.Context[Any],
        place: Bindable,
        authentication: Authentication,
        loop: asyncio.AbstractEventLoop,
        queued: int,
        on_audience: Callable[[], None] = _nobody_cares,
        everything: bytes = b"",
    ) -> None:
        self.topics: frozenset[bytes] = frozenset()
        """The beginnings of topics that are subscribed to."""
        self._counts: Counter[bytes] = Counter()
        self._everything = everything
        self._authentication = authentication
        self._place = place
        self._on_audience = on_audience
        self._socket: zmq.Socket[bytes] = context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.SNDHWM, queued)
        self._socket.setsockopt(zmq.MAXMSGSIZE, _LONGEST_TOPIC)
        self._socket.setsockopt(zmq.XPUB_MANUAL, int(bool(everything)))
        self.endpoint = open_behind(authentication, place, self._socket)
        self._drain = SocketReader(self._socket, loop, self._on_subscription, copy=False)

    def send(self, topic: bytes, body: bytes) -> bool:
        """Send to those who subscribed to the topic; return False where none could take it."""
        try:
            # What send_multipart does beside this is felt at thousands of messages a second.
            self._socket.send(topic, zmq.NOBLOCK | zmq.SNDMORE)
            self._socket.send(body, zmq.NOBLOCK)
        except zmq.Again:
            return False
        finally:
            self._drain.look_again()
        return True

    def mend(self) -> bool:
        """Make the file of the endpoint again if it is gone, and tell so. Raises `CannotBind`."""
        is_mended = self._place.mend(self._socket)
        self._drain.look_again()
        return is_mended

    def close(self, linger: float = 0.0) -> None:
        """Publish nothing more; what waits may take ``linger`` seconds to leave."""
        self._drain.close()
        self._authentication.close()
        self._socket.close(linger=int(linger * 1000))

    def _on_subscription(self, frames: list[zmq.Frame]) -> None:
        subscription = frames[0].bytes
        sign, topic = subscription[:1], subscription[1:]
        if sign not in (b"\x00", b"\x01"):
            return
        is_new = sign == b"\x01"
        if is_new:
            # Whose it is counts when lists change: see the authenticator.
            self._authentication.caller_of(frames[0])
        if self._everything:
            # For whom was just read; of one that has gone, nothing is left to be taken away.
            change = zmq.SUBSCRIBE if is_new else zmq.UNSUBSCRIBE
            self._socket.setsockopt(change, topic or self._everything)
        self._count(topic, 1 if is_new else -1)
        self._on_audience()

    def _count(self, topic: bytes, change: int) -> None:
        # Where subscriptions are left to us, each comes here; else the first and last of a topic.
        if topic not in self._counts and (change < 0 or len(self._counts) >= _TOPICS):
            return
        self._counts[topic] += change
        if self._counts[topic] <= 0:
            del self._counts[topic]
        self.topics = frozenset(self._counts)
