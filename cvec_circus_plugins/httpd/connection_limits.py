"""How long a connection may say nothing, and how many may: half-open ones cost the others nothing.

A connection that has sent no whole request within some seconds is ended. Where there are too many,
the one that has waited longest makes room, so that those who are quick always come in.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 10.0
"""Seconds for a request, with its body."""
AT_MOST = 512
"""Connections without a request under way."""


class LimitedProtocol(H11Protocol):
    """The connections of one server."""

    _deadline: asyncio.TimerHandle | None = None
    waits_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, and let another one go where there are too many."""
        super().connection_made(transport)
        self.waits_since = self.loop.time()
        self._deadline = self.loop.call_later(PATIENCE, self._expire)
        if len(self.connections) > AT_MOST:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection over to those who know WebSockets."""
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self.waits_since = self.loop.time()
        self._stop_waiting()
        if not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.timeout_keep_alive, self._expire)

    @property
    def is_waiting(self) -> bool:
        """Whether the connection has no whole request."""
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body

    def end(self) -> None:
        """End the connection at once."""
        self._stop_waiting()
        self.transport.abort()

    def _expire(self) -> None:
        if self.is_waiting:
            self.end()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _make_room(self) -> None:
        others = (
            connection
            for connection in self.connections
            if isinstance(connection, LimitedProtocol)
            and connection is not self
            and connection.is_waiting
        )
        oldest = min(others, key=lambda connection: connection.waits_since, default=None)
        if oldest is not None:
            oldest.end()
