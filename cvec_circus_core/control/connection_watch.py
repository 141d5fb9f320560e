"""Whether a client's connection is up: what the socket itself does not tell.

ZMQ_IMMEDIATE would tell, too, but a socket that has it drops replies that it has not handed out
yet when the connection ends: the last word of a daemon that quits.
"""

from __future__ import annotations

import struct
from itertools import count
from typing import Any

import zmq

from cvec_circus_core.system.deadline import Deadline

_EVENTS = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
_EVENT = struct.Struct("=H")
_numbers = count()


class ConnectionWatch:
    """Follows the connection of a socket that has one, from before it is made.

    One within the process (``inproc://``) is no matter of the network: it is there at once.
    """

    def __init__(self, context: zmq.Context[Any], socket: zmq.Socket[Any], endpoint: str) -> None:
        self._socket = socket
        address = f"inproc://connection-watch-{next(_numbers)}"
        socket.monitor(address, _EVENTS)
        # A plain one, also beside sockets of asyncio: it is never waited for by them.
        self._monitor: zmq.Socket[Any] = context.socket(zmq.PAIR)
        self._monitor.connect(address)
        self._is_up = endpoint.startswith("inproc://")
        self._breaks = 0

    @property
    def is_up(self) -> bool:
        """Whether somebody is there to take a request."""
        while self._monitor.poll(0):
            (event,) = _EVENT.unpack_from(self._monitor.recv_multipart()[0])
            self._is_up = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            self._breaks += not self._is_up
        return self._is_up

    def count_breaks(self) -> int:
        """Return how often it broke so far."""
        self.is_up  # noqa: B018 - takes in what has happened
        return self._breaks

    def wait_up(self, seconds: float) -> bool:
        """Wait until somebody is there, and tell whether that is so."""
        deadline = Deadline(seconds)
        while not self.is_up and self._monitor.poll(round(deadline.left() * 1000)):
            continue
        return self._is_up

    @property
    def descriptor(self) -> int:
        """Is readable when something may have happened; to be followed by a look at `is_up`."""
        number: int = self._monitor.fileno()
        return number

    def forget_unsent(self) -> None:
        """Drop what waits to be sent, where nobody is there: it was given up by now.

        Otherwise it would be carried out when the daemon comes back.
        """
        if not self.is_up:
            endpoint = str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT)).rstrip("\0")
            self._socket.disconnect(endpoint)
            self._socket.connect(endpoint)

    def close(self) -> None:
        """Watch no more; to be called before the socket is closed, or after a failed connect."""
        if not self._socket.closed:
            self._socket.disable_monitor()
        self._monitor.close(linger=0)
