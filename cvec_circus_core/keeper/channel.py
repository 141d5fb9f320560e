"""The keeper's end of the connection to a brain: it never waits for the brain.

What the brain does not read yet is kept in order. Nothing is lost of what a brain has sent before
it died: all of that is read before its end counts.
"""

from __future__ import annotations

import logging
import socket
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable

from cvec_circus_core.system.keeper_client import keeper_wire as wire

log = logging.getLogger(__name__)

_AT_ONCE = 32
"""Messages that are read before signals and ends have their turn."""

OnMessage = Callable[[wire.Message, wire.Descriptors], None]


class BrainChannel:
    """One connection."""

    def __init__(
        self, loop: AbstractEventLoop, connection: socket.socket, on_message: OnMessage
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._on_message = on_message
        self._unsent: deque[tuple[wire.Message, wire.Descriptors]] = deque()
        connection.setblocking(False)
        loop.add_reader(connection.fileno(), self._read, _AT_ONCE)

    def tell(self, *message: object, descriptors: wire.Descriptors = ()) -> None:
        """Send a message as soon as the brain reads."""
        if self._connection.fileno() < 0:
            return
        self._unsent.append((message, descriptors))
        if len(self._unsent) == 1:
            self._send()

    def close(self) -> None:
        """Take what was sent still, and end the connection."""
        if self._connection.fileno() < 0:
            return
        while self._read(_AT_ONCE):
            pass
        self._unsent.clear()
        self._loop.remove_reader(self._connection.fileno())
        self._loop.remove_writer(self._connection.fileno())
        self._connection.close()

    def _send(self) -> None:
        while self._unsent:
            try:
                wire.send(self._connection, *self._unsent[0])
            except BlockingIOError:
                self._loop.add_writer(self._connection.fileno(), self._send)
                return
            except OSError as error:
                # The brain is gone, which its end tells; or this message can not be sent at all.
                log.debug("the brain is not told %s: %s", self._unsent[0][0][0], error)
            self._unsent.popleft()
        self._loop.remove_writer(self._connection.fileno())

    def _read(self, at_most: int) -> bool:
        """Read some messages; return whether there may be more."""
        for _ in range(at_most):
            try:
                message, descriptors = wire.receive(self._connection)
            except BlockingIOError:
                return False
            except (EOFError, OSError):
                self._loop.remove_reader(self._connection.fileno())
                return False
            try:
                self._on_message(message, descriptors)
            except Exception:
                log.exception("what the brain asked for failed: %r", message[:1])
        return True
