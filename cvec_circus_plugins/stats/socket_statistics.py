"""What the managed sockets do, as published.

``reads`` is what older readers show as hits: connections that were not there at the last sample.
One that came and went between two samples without a trace is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from cvec_circus_plugins.stats.process_list import Ask

UNREADABLE = "N/A"

Address = str | tuple[str, int]
SocketBody = tuple[str | None, Mapping[str, Any]]
"""The number of a socket, or None for all of them, and what is published."""


class Use(Protocol):
    """What the kernel tells of one address."""

    queued: int
    connections: int
    queued_bytes: int
    seen: set[bytes]


ReadSockets = Callable[[Iterable[Address]], Mapping[Address, Use]]


class SocketStatistics:
    """The managed sockets of a daemon."""

    def __init__(self, ask: Ask, read: ReadSockets) -> None:
        self._ask = ask
        self._read = read
        self._connections: dict[Address, set[bytes]] = {}

    async def sample(self) -> list[SocketBody]:
        """Look at them all."""
        reply = await self._ask("listsockets")
        views = reply.get("sockets", [])
        uses = self._read(address_of(view) for view in views)
        bodies = [self._body(view, uses.get(address_of(view))) for view in views]
        self._connections = {address: use.seen for address, use in uses.items()}
        sums: dict[str, Any] = {"addresses": [body["address"] for body in bodies]}
        for key in ("reads", "queued", "connections"):
            numbers = [body[key] for body in bodies if body[key] != UNREADABLE]
            sums[key] = sum(numbers) if numbers or not bodies else UNREADABLE
        return [*((str(body["fd"]), body) for body in bodies), (None, sums)]

    def _body(self, view: Mapping[str, Any], use: Use | None) -> dict[str, Any]:
        address = address_of(view)
        fd = view["fd"]
        body = {
            "fd": fd,
            "subtopic": fd,
            "name": view.get("name"),
            "address": address if isinstance(address, str) else f"{address[0]}:{address[1]}",
            "backlog": view.get("backlog"),
            "reads": 0,
            "queued": UNREADABLE,
            "connections": UNREADABLE,
        }
        if use is not None:
            before = self._connections.get(address, use.seen)
            body["reads"] = len(use.seen - before)
            body["queued"], body["connections"] = use.queued, use.connections
            if use.queued_bytes:
                body["queued_bytes"] = use.queued_bytes
        return body


def address_of(view: Mapping[str, Any]) -> Address:
    """Return where a socket listens."""
    path = view.get("path")
    return str(path) if path else (str(view.get("host")), int(view.get("port") or 0))
