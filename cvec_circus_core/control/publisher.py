"""The event endpoint: what the bus tells, subscribers get, and slow ones cost bounded memory.

While nobody listens, no body is made.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import zmq

from cvec_circus_core.control.broadcast import Broadcast
from cvec_circus_core.control.codec import encode_event
from cvec_circus_core.control.peers.authentication import Authentication, Bindable
from cvec_circus_core.model.events import Told

log = logging.getLogger(__name__)

QUEUED = 10_000
"""Events that wait for one subscriber at most."""

_OUTPUT = b"stream."
_EVERYTHING = b"watcher"
"""What a subscription to everything means: neither output nor what callers did, which clients of
the older wire do not know."""
_AUDIT = "audit."


class EventPublisher:
    """Publishes events on one endpoint."""

    def __init__(
        self,
        context: zmq.Context[Any],
        place: Bindable,
        authentication: Authentication,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._output_topics: tuple[bytes, ...] = ()
        self._is_audited = False
        """Whether anybody asked for what callers did, and not only for everything."""
        self._broadcast = Broadcast(
            context, place, authentication, loop, QUEUED, self._on_audience, _EVERYTHING
        )
        self.endpoint = self._broadcast.endpoint

    def publish(self, told: Told) -> None:
        """Send an event to those who subscribed to its topic."""
        if not self._broadcast.topics:
            return
        if not self._is_audited and told.topic.startswith(_AUDIT):
            return
        if not self._broadcast.send(told.topic.encode(), encode_event(told.body())):
            log.debug("nobody could take event %d", told.number)

    def wants_output(self, topic: str) -> bool:
        """Tell whether anybody subscribed to the output of processes, and to this topic of it.

        A subscription to everything does not count: it is meant for events.
        """
        return bool(self._output_topics) and topic.encode().startswith(self._output_topics)

    def publish_output(self, topic: str, body: Mapping[str, Any]) -> None:
        """Send a piece of output to those who subscribed to it."""
        if not self._broadcast.send(topic.encode(), encode_event(dict(body))):
            log.debug("nobody could take a piece of %s", topic)

    def mend(self) -> bool:
        """Make the file of the endpoint again if it is gone, and tell so. Raises `CannotBind`."""
        return self._broadcast.mend()

    def close(self, linger: float = 0.0) -> None:
        """Publish nothing more; what waits may take ``linger`` seconds to leave."""
        self._broadcast.close(linger)

    def _on_audience(self) -> None:
        topics = self._broadcast.topics
        self._output_topics = tuple(topic for topic in topics if topic.startswith(_OUTPUT))
        self._is_audited = any(topic.startswith(_AUDIT.encode()) for topic in topics)
