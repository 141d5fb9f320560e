"""A plugin's way to its daemon: one connection for commands and one for events.

`call` blocks the thread it is made in, and only that: it has a connection of its own, on which a
lock lets one call at a time, so that other threads of a plugin may call as well.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import zmq

from cvec_circus_core.control.blocking_client import CircusClient
from cvec_circus_core.control.client import AsyncCircusClient
from cvec_circus_core.control.client_sockets import connect
from cvec_circus_core.control.codec import encode_event
from cvec_circus_core.model.events import Told
from cvec_circus_core.system.listeners import ANYBODY

log = logging.getLogger("circus.plugins")

QUEUED = 10_000
"""Events that wait for a plugin at most; more are lost, to this plugin alone."""

GATHERING = 0.001
"""Seconds that an event may wait for others, where the one before came so short a time ago."""

GATHERING_INSIDE = 0.005
"""Seconds that an event waits for others before it wakes a plugin's thread. That thread competes
with the daemon's for the interpreter, which is busy just then: it has a process to replace."""

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
        keys: str | None = None,
        daemon_id: str = "",
    ) -> None:
        self._keys = keys
        self._envelope = {"daemon": daemon_id} if daemon_id else {}
        """What every request says beside its command: which daemon is meant, if one is."""
        self._endpoints = (endpoint, pubsub_endpoint)
        self._ssh_server = ssh_server
        self._given = context
        self._lock = threading.Lock()
        self._kinds: frozenset[str] | None = None
        self._async: AsyncCircusClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awake: asyncio.Future[None] | None = None
        self._woken = False
        self._hectic_until = 0.0
        self.context: Any = None
        self.client: Any = None
        self.sub_socket: Any = None

    def open(self, topics: tuple[str, ...], kinds: frozenset[str] | None, timeout: float) -> None:
        """Connect, and subscribe; belongs to a running loop. Raises `CallError`."""
        self.context = self._given or zmq.Context()
        self._kinds = kinds
        self._loop = asyncio.get_running_loop()
        self.client = CircusClient(
            self.context,
            self._endpoints[0],
            timeout,
            self._ssh_server,
            keys=self._keys,
            # The daemon is known by its id.
            trust_user=ANYBODY,
        )
        self._subscribe(topics)

    def call(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for the reply; for a cast, do not wait."""
        with self._lock:
            reply: dict[str, Any] = self.client.call({**message, **self._envelope})
        if reply.get("another_daemon"):
            self._daemon_changed()
        return reply

    async def acall(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and await the reply."""
        if self._async is None:
            self._async = AsyncCircusClient(
                self.context,
                self._endpoints[0],
                self.client.timeout,
                self._ssh_server,
                keys=self._keys,
                trust_user=ANYBODY,
            )
        reply = await self._async.call({**message, **self._envelope})
        if reply.get("another_daemon"):
            self._daemon_changed()
        return reply

    def _daemon_changed(self) -> None:
        """End: the daemon that this plugin belongs to is gone, and another one has its place."""
        log.warning("the daemon of this plugin is gone, and another one answers: ending")
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.wake)

    async def receive(self) -> tuple[str, str] | None:
        """Return the next event, or None after `wake`."""
        while not self._woken:
            try:
                frames = self.sub_socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                await self._readable()
                continue
            if len(frames) != 2:
                continue
            topic = frames[0].decode(errors="replace")
            if self._kinds is None or topic.rpartition(".")[2] in self._kinds:
                return topic, frames[1].decode(errors="replace")
        return None

    def wake(self) -> None:
        """Let `receive` return None, at once and from now on."""
        self._woken = True
        if self._awake is not None:
            _set(self._awake)

    async def close(self) -> None:
        """Close everything."""
        if self._async is not None:
            await self._async.stop()
        self.client.stop(LAST_WORDS)
        self._unsubscribe()
        if self._given is None:
            self.context.term()

    def _subscribe(self, topics: tuple[str, ...]) -> None:
        self.sub_socket = self.context.socket(zmq.SUB)
        self.sub_socket.set(zmq.RCVHWM, QUEUED)
        for topic in topics:
            self.sub_socket.subscribe(topic)
        connect(self.sub_socket, self._endpoints[1], self._ssh_server, None, self._keys)

    def _unsubscribe(self) -> None:
        self.sub_socket.close()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._hectic_until:
            # Events come one by one, faster than each is worth a wake-up: let some gather.
            await asyncio.sleep(GATHERING)
            self._hectic_until = 0.0
            return
        # The descriptor stays readable until somebody reads: it is watched only while one waits,
        # so that it does not spin the loop during a handler that awaits something.
        awake = self._awake = loop.create_future()
        descriptor = int(self.sub_socket.getsockopt(zmq.FD))
        loop.add_reader(descriptor, _set, awake)
        try:
            await awake
        finally:
            loop.remove_reader(descriptor)
        self._hectic_until = loop.time() + GATHERING


Listen = Callable[[str, Callable[[Told], None]], None]
Leave = Callable[[str], None]


class InsideLink(PluginLink):
    """Reaches the daemon that the plugin is a thread of.

    Commands go over inproc like everybody's. Events are handed over as they are, because that costs
    the daemon a tenth of sending them: each is encoded in the plugin's thread, and only if wanted.
    """

    def __init__(
        self, endpoint: str, context: zmq.Context[Any], name: str, listen: Listen, leave: Leave
    ) -> None:
        super().__init__(endpoint, "", None, context)
        self._envelope = {"plugin": name}
        self._name = f"plugin:{name}"
        self._listen = listen
        self._leave = leave
        self._events: deque[Told] = deque()
        self._topics: tuple[str, ...] = ()
        self._sleeping = False
        self.lost = 0
        """Events that came while too many were waiting."""

    async def receive(self) -> tuple[str, str] | None:
        """Return the next event, or None after `wake`."""
        while not self._woken:
            while self._events:
                record = self._events.popleft()
                if (topic := record.topic).startswith(self._topics):
                    return topic, encode_event(record.body()).decode()
            await self._something()
        return None

    async def _something(self) -> None:
        self._awake = asyncio.get_running_loop().create_future()
        self._sleeping = True
        # Between the last look and the flag an event may have come without a word.
        if not self._events:
            await self._awake
        self._sleeping = False

    def _take(self, told: Told) -> None:
        """Take an event; called in the daemon's thread."""
        if self._kinds is not None and told.event.name not in self._kinds:
            return
        if len(self._events) >= QUEUED:
            self.lost += 1
            return
        self._events.append(told)
        if self._sleeping:
            self._sleeping = False
            asyncio.get_running_loop().call_later(GATHERING_INSIDE, self._wake_thread)

    def _wake_thread(self) -> None:
        """Let the plugin's thread take what waits; called in the daemon's."""

        def rouse() -> None:
            if self._awake is not None:
                _set(self._awake)

        if self._loop is not None:
            with suppress(RuntimeError):  # The plugin has just come to its end.
                self._loop.call_soon_threadsafe(rouse)

    def _subscribe(self, topics: tuple[str, ...]) -> None:
        self._topics = topics
        self._listen(self._name, self._take)

    def _unsubscribe(self) -> None:
        self._leave(self._name)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
