"""The event endpoint: what the bus tells, subscribers get, and slow ones cost bounded memory.

An XPUB, because it tells what is subscribed to: while nobody listens, no body is made. A subscriber
that does not read loses events past `QUEUED` of them, and nobody else notices.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import zmq

from cvec_circus_core.control.binding import Place
from cvec_circus_core.control.codec import encode_event
from cvec_circus_core.control.door import Entrance
from cvec_circus_core.control.draining import Drain
from cvec_circus_core.model.events import Told

log = logging.getLogger(__name__)

QUEUED = 10_000
"""Events that wait for one subscriber at most."""

_LONGEST_TOPIC = 1024
_OUTPUT = b"stream."


class EventPublisher:
    """Publishes events on one endpoint."""

    def __init__(
        self,
        context: zmq.Context[Any],
        place: Place,
        entrance: Entrance,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._entrance = entrance
        self._topics: set[bytes] = set()
        self._output_topics: set[bytes] = set()
        self._socket: zmq.Socket[bytes] = context.socket(zmq.XPUB)
        self._socket.linger = 0
        self._socket.setsockopt(zmq.SNDHWM, QUEUED)
        self._socket.setsockopt(zmq.MAXMSGSIZE, _LONGEST_TOPIC)
        try:
            entrance.guard(self._socket)
            self.endpoint = place.bind(self._socket)
        except BaseException:
            entrance.close()
            self._socket.close()
            raise
        self._drain = Drain(self._socket, loop, self._on_subscription)

    def publish(self, told: Told) -> None:
        """Send an event to whoever subscribed to its topic."""
        if not self._topics:
            return
        body = encode_event(told.body())
        try:
            # What send_multipart does beside this is felt at thousands of events a second.
            self._socket.send(told.topic.encode(), zmq.NOBLOCK | zmq.SNDMORE)
            self._socket.send(body, zmq.NOBLOCK)
        except zmq.Again:
            log.debug("nobody could take event %d", told.number)
        self._drain.look_again()

    def wants_output(self, topic: str) -> bool:
        """Tell whether anybody subscribed to the output of processes, and to this topic of it.

        A subscription to everything does not count: it is meant for events.
        """
        return bool(self._output_topics) and topic.encode().startswith(tuple(self._output_topics))

    def publish_output(self, topic: str, body: Mapping[str, Any]) -> None:
        """Send a piece of output to whoever subscribed to it."""
        try:
            self._socket.send_multipart([topic.encode(), encode_event(dict(body))], zmq.NOBLOCK)
        except zmq.Again:
            log.debug("nobody could take a piece of %s", topic)
        self._drain.look_again()

    def close(self, linger: float = 0.0) -> None:
        """Publish nothing more; what waits may take ``linger`` seconds to leave."""
        self._drain.close()
        self._entrance.close()
        self._socket.close(linger=int(linger * 1000))

    def _on_subscription(self, frames: list[bytes]) -> None:
        said = frames[0]
        if said[:1] == b"\x01":
            self._topics.add(said[1:])
            if said[1:].startswith(_OUTPUT):
                self._output_topics.add(said[1:])
        elif said[:1] == b"\x00":
            self._topics.discard(said[1:])
            self._output_topics.discard(said[1:])
