"""Who is there to be measured: asked from the daemon, which answers in full only after a change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cvec_circus_core.api import CircusError

DAEMON = "circusd"
OWN_WATCHERS = ("circusd-stats", "circushttpd")
"""Watchers whose processes count as the daemon's own."""

Ask = Callable[..., Awaitable[Mapping[str, Any]]]
"""Sends a command by name and properties, and gives the reply."""


class RequestRefused(CircusError):
    """The daemon does not tell what is needed for statistics."""


class ProcessList:
    """The processes of a daemon by watcher, as of the last answer."""

    def __init__(self, ask: Ask, own_pid: int) -> None:
        self._ask = ask
        self._own_pid = own_pid
        self._changes: int | None = None
        self.watchers: Mapping[str, Mapping[int, int]] = {}
        """The numbers of the processes in their watcher, by watcher and pid."""
        self.daemons: Mapping[int, str] = {}
        """The roles of the daemon's own processes by pid."""

    async def renew(self) -> None:
        """Ask again. Raises `RequestRefused` and `CallError`."""
        reply = await self._ask("processes", since=self._changes)
        if reply["status"] == "error":
            raise RequestRefused(f"no statistics of this daemon: {reply.get('reason')}")
        if "watchers" in reply:
            self.watchers = {
                name: {int(pid): wid for pid, wid in wids.items()}
                for name, wids in reply["watchers"].items()
            }
            self.daemons = self._roles(reply["daemon"])
        # Another daemon begins to count anew, and may by chance have come to the same number.
        self._changes = reply["changes"]

    def forget(self) -> None:
        """Ask for everything the next time: there may be another daemon."""
        self._changes = None

    def _roles(self, daemon: int) -> dict[int, str]:
        roles = {daemon: DAEMON}
        for name in OWN_WATCHERS:
            roles.update(dict.fromkeys(self.watchers.get(name, ()), name))
        roles.setdefault(self._own_pid, OWN_WATCHERS[0])
        return roles
