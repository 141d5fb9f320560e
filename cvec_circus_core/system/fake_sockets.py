"""An owner of managed sockets that opens none."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.errors import CannotBind


class FakeSocketOwner:
    """Managed sockets in memory. Nobody can connect; `connect` says that somebody has.

    ``taken`` are locations (HOST:PORT, or a path in quotes) that somebody else has.
    """

    FIRST_NUMBER = 10
    FIRST_FREE_PORT = 40_000

    def __init__(self) -> None:
        self.kept: dict[str, OpenSocket] = {}
        self.aside: dict[int, OpenSocket] = {}
        self.taken: set[str] = set()
        self._watches: dict[str, list[Callable[[], None]]] = {}
        self._numbers = count(self.FIRST_NUMBER)
        self._ports = count(self.FIRST_FREE_PORT)

    def open(self, plan: BindPlan) -> OpenSocket:
        """Open a socket beside those that are kept. Raises `CannotBind`."""
        port = plan.port or next(self._ports)
        listens = plan.type in ("SOCK_STREAM", "SOCK_SEQPACKET")
        opened = OpenSocket(
            plan.name, next(self._numbers), plan.host, port, plan.path, plan.backlog, listens
        )
        same = self.kept.get(plan.name)
        stands_aside = same is not None and plan.path is not None and same.path == plan.path
        if opened.location in self.taken or (self._is_held(opened) and not stands_aside):
            raise CannotBind(
                f"[socket:{plan.name}] can not listen at {opened.location}: "
                "another process listens there already"
            )
        self.aside[opened.number] = opened
        return opened

    def keep(self, number: int) -> None:
        """Keep a socket that was opened, in the place of the one of the same name."""
        opened = self.aside.pop(number)
        self.kept[opened.name] = opened

    def discard(self, number: int) -> None:
        """Close a socket that was opened and not kept."""
        del self.aside[number]

    def adjust(self, name: str, plan: BindPlan) -> OpenSocket:
        """Take what a plan says of the queue."""
        self.kept[name] = self.kept[name]._replace(backlog=plan.backlog)
        return self.kept[name]

    def close(self, name: str) -> None:
        """Close a kept socket."""
        del self.kept[name]

    def watch(self, name: str, on_connection: Callable[[], None]) -> Callable[[], None]:
        """Call back when a test says that somebody waits."""
        if name not in self.kept:
            raise KeyError(name)
        watches = self._watches.setdefault(name, [])
        watches.append(on_connection)
        return lambda: watches.remove(on_connection)

    def connect(self, name: str) -> None:
        """Let somebody wait to be accepted."""
        for on_connection in tuple(self._watches.get(name, ())):
            on_connection()

    def close_all(self) -> None:
        """Close all, kept or not."""
        self.kept.clear()
        self.aside.clear()

    def _is_held(self, opened: OpenSocket) -> bool:
        sockets = (*self.kept.values(), *self.aside.values())
        return any(other.location == opened.location for other in sockets)
