"""The way to one daemon: requests on behalf of people, and subscriptions that find it again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import zmq

from cvec_circus_core.api import AsyncCircusClient, CallError, Person, Subscriber
from cvec_circus_plugins.httpd.settings import DaemonAddress

log = logging.getLogger(__name__)

TIMEOUT = 30.0
"""Seconds for which a reply is waited for; a restart that is waited for may take longer."""
PATIENCE = 5.0
EVENTS_QUEUED = 20_000
OUTPUT_QUEUED = 256
"""Pieces of output that wait for us at most: each may have 64 kB."""

Reply = dict[str, Any]


class LinkListener(Protocol):
    """Who is told what comes."""

    def on_event(self, topic: bytes, body: bytes) -> None:
        """Take an event."""

    def on_output(self, topic: bytes, body: bytes) -> None:
        """Take a piece of output."""

    def on_statistic(self, topic: bytes, body: bytes) -> None:
        """Take a statistic."""

    def on_connected(self, connected: bool) -> None:
        """Be told that the daemon is there, or gone."""


class DaemonLink:
    """Connections for requests and for events, and while they are wanted, for all else."""

    def __init__(
        self, context: zmq.Context[Any], address: DaemonAddress, listener: LinkListener
    ) -> None:
        self.address = address
        self._context = context
        self._listener = listener
        self._envelope = {"daemon": address.daemon_id} if address.daemon_id else {}
        self._client: AsyncCircusClient | None = None
        self._events: Subscriber | None = None
        self._statistics: Subscriber | None = None
        self._output: Subscriber | None = None
        self._output_topics: frozenset[str] = frozenset()
        self._pubsub = address.pubsub_endpoint

    async def open(self, topics: Iterable[str]) -> None:
        """Connect, and subscribe to events. Raises `CallError`."""
        if self._pubsub is None:
            options = await self.ask("globaloptions", {"keys": ["pubsub_endpoint"]})
            self._pubsub = options.get("options", {}).get("pubsub_endpoint")
        if self._pubsub is None:
            raise CallError(str(options.get("reason", "the daemon does not tell its events")))
        self._events = self._subscriber(
            self._pubsub, self._listener.on_event, self._listener.on_connected
        )
        self._events.subscribe(topics)

    async def ask(
        self,
        command: str,
        properties: Mapping[str, Any] | None = None,
        person: Person | None = None,
        patience: float = PATIENCE,
    ) -> Reply:
        """Return the reply to a request, on behalf of a person where one is given.

        Raises `CallError`.
        """
        if self._client is None:
            self._client = AsyncCircusClient(
                self._context,
                self.address.endpoint,
                TIMEOUT,
                self.address.ssh_server,
                keys=self.address.keys,
            )
        message = {"command": command, "properties": dict(properties or {}), **self._envelope}
        if person is not None:
            message["person"] = {"name": person.name, "role": person.role.value}
        try:
            async with asyncio.timeout(patience):
                return await self._client.call(message)
        except TimeoutError:
            raise CallError(
                f"{self.address.endpoint} has not answered within {patience:g} s"
            ) from None

    def listen_to_output(self, topics: frozenset[str]) -> None:
        """Hear the output under these topics, and no other."""
        if self._output is None and topics and self._pubsub is not None:
            self._output = self._subscriber(
                self._pubsub, self._listener.on_output, _ignore, OUTPUT_QUEUED
            )
        if self._output is None:
            return
        self._output.subscribe(topics - self._output_topics)
        self._output.unsubscribe(self._output_topics - topics)
        self._output_topics = topics
        if not topics:
            self._output.close()
            self._output = None

    def listen_to_statistics(self, endpoint: str | None) -> None:
        """Hear all statistics at an endpoint, or none any longer."""
        if self._statistics is not None:
            self._statistics.close()
            self._statistics = None
        if endpoint is not None:
            self._statistics = self._subscriber(endpoint, self._listener.on_statistic, _ignore)
            self._statistics.subscribe(["stat."])

    async def close(self) -> None:
        """End all connections."""
        self.listen_to_statistics(None)
        self.listen_to_output(frozenset())
        if self._events is not None:
            self._events.close()
            self._events = None
        client, self._client = self._client, None
        if client is not None:
            await client.stop()

    def _subscriber(
        self,
        endpoint: str,
        on_message: Callable[[bytes, bytes], None],
        on_connected: Callable[[bool], None],
        queued: int = EVENTS_QUEUED,
    ) -> Subscriber:
        return Subscriber(
            self._context,
            endpoint,
            on_message,
            on_connected,
            self.address.ssh_server,
            self.address.keys,
            queued,
        )


def _ignore(connected: bool) -> None:
    pass
