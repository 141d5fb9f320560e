"""What the managed sockets do, as published."""

from __future__ import annotations

from cvec_circus_plugins.stats.bodies import Published
from cvec_circus_plugins.stats.roster import Ask

SOCKETS = "sockets"
"""The group of the managed sockets."""


class Sockets:
    """The managed sockets of a daemon."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def sample(self) -> list[Published]:
        """Look at them all."""
        reply = await self._ask("listsockets")
        views = reply.get("sockets", [])
        found: list[Published] = []
        addresses = []
        for view in views:
            address = view.get("path") or f"{view.get('host')}:{view.get('port')}"
            addresses.append(address)
            fd = view["fd"]
            found.append(
                (f"{SOCKETS}.{fd}", {"fd": fd, "subtopic": fd, "reads": 0, "address": address})
            )
        return [*found, (SOCKETS, {"addresses": addresses, "reads": 0})]
