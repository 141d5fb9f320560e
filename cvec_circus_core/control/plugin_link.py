"""A plugin's way to its daemon: one connection for commands and one for events.

`call` blocks the thread it is made in, and only that: it has a connection of its own, on which a
lock lets one call at a time, so that other threads of a plugin may call as well.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import zmq

from cvec_circus_core.control.blocking import CircusClient
from cvec_circus_core.control.client import AsyncCircusClient
from cvec_circus_core.control.connecting import connect

QUEUED = 10_000
"""Events that wait for a plugin at most; more are lost, to this plugin alone."""

LAST_WORDS = 1.0
"""Seconds for casts that are still on their way at the end."""


class PluginLink:
    """Reaches a daemon by its endpoints, in a context of its own or in a given one."""

    def __init__(
        self,
        endpoint: str,
        pubsub_endpoint: str,
        ssh_server: str | None = None,
        context: zmq.Context[Any] | None = None,
    ) -> None:
        self._endpoints = (endpoint, pubsub_endpoint)
        self._ssh_server = ssh_server
        self._own_context = context is None
        self._given = context
        self._lock = threading.Lock()
        self._async: AsyncCircusClient | None = None
        self._awake: asyncio.Future[None] | None = None
        self._woken = False
        self.context: Any = None
        self.client: Any = None
        self.sub_socket: Any = None

    def open(self, topics: tuple[str, ...], timeout: float) -> None:
        """Connect, and subscribe; belongs to a running loop. Raises `CallError`."""
        self.context = self._given or zmq.Context()
        endpoint, events = self._endpoints
        self.client = CircusClient(self.context, endpoint, timeout, self._ssh_server)
        self.sub_socket = self.context.socket(zmq.SUB)
        self.sub_socket.set(zmq.RCVHWM, QUEUED)
        for topic in topics:
            self.sub_socket.subscribe(topic)
        connect(self.sub_socket, events, self._ssh_server, None)

    def call(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for the reply; for a cast, do not wait."""
        with self._lock:
            reply: dict[str, Any] = self.client.call(message)
            return reply

    async def acall(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and await the reply."""
        if self._async is None:
            self._async = AsyncCircusClient(
                self.context, self._endpoints[0], self.client.timeout, self._ssh_server
            )
        return await self._async.call(message)

    async def receive(self) -> tuple[bytes, bytes] | None:
        """Return the next event, or None after `wake`."""
        while not self._woken:
            try:
                frames = self.sub_socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                await self._readable()
                continue
            if len(frames) == 2:
                return frames[0], frames[1]
        return None

    def wake(self) -> None:
        """Let `receive` return None, at once and from now on."""
        self._woken = True
        if self._awake is not None and not self._awake.done():
            self._awake.set_result(None)

    async def close(self) -> None:
        """Close everything."""
        if self._async is not None:
            await self._async.stop()
        self.client.stop(LAST_WORDS)
        self.sub_socket.close()
        if self._own_context:
            self.context.term()

    async def _readable(self) -> None:
        # The descriptor stays readable until somebody reads: it is watched only while one waits,
        # so that it does not spin the loop during a handler that awaits something.
        loop = asyncio.get_running_loop()
        awake = self._awake = loop.create_future()
        descriptor = int(self.sub_socket.getsockopt(zmq.FD))
        loop.add_reader(descriptor, _set, awake)
        try:
            await awake
        finally:
            loop.remove_reader(descriptor)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
