"""The news of a ZeroMQ socket's connections: which descriptor was accepted, which one is gone."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import zmq

from cvec_circus_core.control.socket_reader import SocketReader
from cvec_circus_core.system.net.accept_gate import AcceptGate

_NEWS = struct.Struct("=HI")
_OF_LISTENERS = zmq.EVENT_LISTENING | zmq.EVENT_ACCEPT_FAILED
_WATCHED = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | _OF_LISTENERS


class News(NamedTuple):
    """One of them."""

    accepted: bool
    fd: int


class Monitor:
    """Reads the news of a socket that is not bound yet, and calls whenever there are some."""

    def __init__(
        self,
        watched: zmq.Socket[Any],
        name: str,
        loop: asyncio.AbstractEventLoop,
        on_news: Callable[[], None],
    ) -> None:
        address = f"inproc://news-of-{name}"
        watched.monitor(address, _WATCHED)
        self._watched = watched
        self._on_news = on_news
        self._unread: list[list[bytes]] = []
        self._socket: zmq.Socket[bytes] = watched.context.socket(zmq.PAIR)
        self._socket.linger = 0
        # Without a bound, because libzmq's own thread would wait for us where it is full.
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.connect(address)
        self._gate = AcceptGate(loop)
        self._drain = SocketReader(self._socket, loop, self._arrived)

    def read(self) -> list[News]:
        """Return all news since the last time, in order."""
        unread, self._unread = self._unread, []
        while True:
            try:
                unread.append(self._socket.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                break
        heard = [_NEWS.unpack(frames[0]) for frames in unread]
        for kind, fd in heard:
            if kind == zmq.EVENT_LISTENING:
                self._gate.add(fd)
            elif kind != zmq.EVENT_DISCONNECTED:
                self._gate.let_in_soon()
        return [
            News(kind == zmq.EVENT_ACCEPTED, fd) for kind, fd in heard if not kind & _OF_LISTENERS
        ]

    def close(self) -> None:
        """Read nothing more; before the watched socket itself is closed."""
        self._gate.close()
        self._drain.close()
        self._watched.disable_monitor()
        self._socket.close()

    def _arrived(self, frames: list[bytes]) -> None:
        self._unread.append(frames)
        self._on_news()
