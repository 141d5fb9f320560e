"""Reading a ZeroMQ socket from an event loop, without missing an edge.

The descriptor of a ZeroMQ socket tells only changes: after each wake-up the socket is read until
its EVENTS say empty. A send may swallow the edge, so the socket is looked at after sends, too. One
pass reads ``at_once`` messages at most; then others have their turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import zmq

log = logging.getLogger(__name__)

AT_ONCE = 64

OnFrames = Callable[[list[Any]], None]


class SocketReader:
    """Calls back with the frames of every message that arrives on a socket.

    Frames are bytes, or with ``copy`` false `zmq.Frame`, which tell where they come from.
    """

    def __init__(
        self,
        read: zmq.Socket[Any],
        loop: asyncio.AbstractEventLoop,
        on_frames: OnFrames,
        at_once: int = AT_ONCE,
        *,
        copy: bool = True,
    ) -> None:
        self._socket = read
        self._loop = loop
        self._on_frames = on_frames
        self._at_once = at_once
        self._copy = copy
        self._descriptor = int(read.getsockopt(zmq.FD))
        self._scheduled = False
        self._closed = False
        loop.add_reader(self._descriptor, self._read)
        self.look_again()

    def look_again(self) -> None:
        """Read soon; call it after every send."""
        if not self._scheduled and not self._closed:
            self._scheduled = True
            self._loop.call_soon(self._read_scheduled)

    def close(self) -> None:
        """Read nothing more. The socket itself stays the caller's."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._descriptor)

    def _read_scheduled(self) -> None:
        self._scheduled = False
        self._read()

    def _read(self) -> None:
        if self._closed:
            return
        for _ in range(self._at_once):
            if not int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                return
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=self._copy)
            except zmq.Again:
                return
            try:
                self._on_frames(frames)
            except Exception:
                # Nothing that arrives may leave later messages unread.
                log.exception("a message could not be taken")
        self.look_again()
