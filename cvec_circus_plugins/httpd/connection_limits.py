"""How long a connection may say nothing, and how many may: half-open ones cost the others nothing.

A connection that has sent no whole request within some seconds is ended. Where there are too many,
the one that has waited longest makes room, so that those who are quick always come in.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 10.0
"""Seconds for a request, with its body."""
AT_MOST = 512
"""Connections without a request under way."""


class LimitedProtocol(H11Protocol):
    """The connections of one server."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, and let another one go where there are too many."""
        super().connection_made(transport)
        self._wait(PATIENCE)
        waiting = self._waiting()
        if len(waiting) > AT_MOST:
            # One that has never asked for anything goes before one that a browser keeps open.
            silent = (connection for connection in waiting if connection.cycle is None)
            next(silent, next(iter(waiting))).end_waiting()

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
        self._stop_waiting()
        if not self.transport.is_closing():
            self._wait(self.timeout_keep_alive)

    def end_waiting(self) -> None:
        """End the connection, unless it has a whole request by now."""
        self._stop_waiting()
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            self.transport.abort()

    def _wait(self, seconds: float) -> None:
        self._waiting()[self] = None
        self._deadline = self.loop.call_later(seconds, self.end_waiting)

    def _stop_waiting(self) -> None:
        self._waiting().pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _waiting(self) -> dict[LimitedProtocol, None]:
        return _WAITING.setdefault(self.server_state, {})


_WAITING: WeakKeyDictionary[Any, dict[LimitedProtocol, None]] = WeakKeyDictionary()
"""By server: its connections that may have no whole request, in the order in which they came."""
