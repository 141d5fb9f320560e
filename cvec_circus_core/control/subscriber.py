"""The asynchronous subscriber: calls back with what is published, and with coming and going.

For programs that stay: it finds a publisher again that was away, and tells when it is there, which
is the moment to ask for what was missed. Messages that nobody wants cost little, for they are not
decoded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from cvec_circus_core.control.client_sockets import connect
from cvec_circus_core.control.socket_reader import SocketReader
from cvec_circus_core.model.curve_keys import CurveKeys

log = logging.getLogger(__name__)

QUEUED = 20_000
"""Messages that wait for the subscriber at most, unless it says otherwise; more are lost."""

_SOONEST, _LATEST = 100, 2_000
"""Milliseconds between two tries to connect."""
_WATCHED = zmq.Event.HANDSHAKE_SUCCEEDED | zmq.Event.DISCONNECTED

OnMessage = Callable[[bytes, bytes], None]
"""Takes the topic and the body of what was published."""
OnConnection = Callable[[bool], None]
"""Is told that the publisher is there, or that it is gone."""


class Subscriber:
    """Listens at one endpoint; belongs to the loop. Raises `CallError` where it can not begin."""

    def __init__(
        self,
        context: zmq.Context[Any],
        endpoint: str,
        on_message: OnMessage,
        on_connection: OnConnection,
        ssh_server: str | None = None,
        keys: str | CurveKeys | None = None,
        queued: int = QUEUED,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._on_connection = on_connection
        self._socket: zmq.Socket[bytes] = context.socket(zmq.SUB)
        self._socket.set(zmq.RCVHWM, queued)
        self._socket.set(zmq.RECONNECT_IVL, _SOONEST)
        self._socket.set(zmq.RECONNECT_IVL_MAX, _LATEST)
        self._monitor = self._socket.get_monitor_socket(_WATCHED)
        try:
            connect(self._socket, endpoint, ssh_server, None, keys)
        except BaseException:
            self._monitor.close(linger=0)
            raise
        self._readers = (
            SocketReader(self._socket, loop, self._on_frames),
            SocketReader(self._monitor, loop, self._on_monitored),
        )

    def subscribe(self, topics: Iterable[str]) -> None:
        """Hear what begins like one of these, too."""
        for topic in topics:
            self._socket.subscribe(topic)
        self._look_again()

    def unsubscribe(self, topics: Iterable[str]) -> None:
        """Hear these no longer."""
        for topic in topics:
            self._socket.unsubscribe(topic)
        self._look_again()

    def close(self) -> None:
        """Hear nothing more."""
        for reader in self._readers:
            reader.close()
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)

    def _look_again(self) -> None:
        for reader in self._readers:
            reader.look_again()

    def _on_frames(self, frames: list[bytes]) -> None:
        if len(frames) == 2:
            self._on_message(frames[0], frames[1])

    def _on_monitored(self, frames: list[bytes]) -> None:
        event = parse_monitor_message(frames)["event"]
        self._on_connection(event == zmq.Event.HANDSHAKE_SUCCEEDED)
