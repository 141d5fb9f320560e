"""`Sockets` that are the keeper's, and the owner in whole."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.system.keeper_client import keeper_wire as wire
from cvec_circus_core.system.keeper_client.keeper_link import KeeperLink
from cvec_circus_core.system.keeper_client.kept_processes import KeeperStore, KeptProcesses
from cvec_circus_core.system.keeper_client.successor import KeeperCopy
from cvec_circus_core.system.processes.launcher import Launcher
from cvec_circus_core.system.processes.local_owner import MakeOwner
from cvec_circus_core.system.protocols import Defer, Owner
from cvec_circus_core.system.state_store import Inventory


class KeptSockets:
    """Has the managed sockets opened and kept."""

    def __init__(self, link: KeeperLink, copy: KeeperCopy) -> None:
        self._link = link
        self._copy = copy

    def open(self, plan: BindPlan) -> OpenSocket:
        """Have a socket opened beside those that are kept. Raises `CannotBind`."""
        return OpenSocket(**self._link.ask("open", wire.bind_plan_to_data(plan)))

    def keep(self, number: int) -> None:
        """Have a socket kept that was opened."""
        self._link.ask("keep", number)

    def discard(self, number: int) -> None:
        """Have a socket closed that was opened and not kept."""
        self._link.ask("discard", number)

    def adjust(self, name: str, plan: BindPlan) -> OpenSocket:
        """Have what a plan says of the queue and the file taken. Raises `CannotBind`."""
        return OpenSocket(**self._link.ask("adjust", name, wire.bind_plan_to_data(plan)))

    def close(self, name: str) -> None:
        """Have a kept socket closed."""
        self._copy.drop_socket(name)
        self._link.ask("close", name)

    def watch(self, name: str, on_connection: Callable[[], None]) -> Callable[[], None]:
        """Call back while somebody waits to be accepted; return what ends that."""
        numbers: list[int] = []

        def begin() -> None:
            numbers.append(self._link.number_for(on_connected))
            self._link.tell("watch", numbers[-1], name)

        def on_connected() -> None:
            watched = numbers[-1]
            on_connection()
            if numbers and numbers[-1] == watched:
                begin()

        def end() -> None:
            if numbers:
                number = numbers[-1]
                numbers.clear()
                self._link.forget(number)
                self._link.ask("unwatch", number)

        begin()
        return end

    def close_all(self) -> None:
        """Have all closed, kept or not."""
        self._copy.drop_sockets()
        self._link.ask("close_all")


def kept_owner(
    link: KeeperLink, inventory: Inventory, on_lost_all: Callable[[], None]
) -> MakeOwner:
    """Return what makes the keeper the owner of processes and sockets.

    ``on_lost_all`` is called when the keeper is gone, and another has what it had.
    """

    def make_owner(loop: AbstractEventLoop, launcher: Launcher, defer: Defer) -> Owner:
        link.attach(loop)
        processes = KeptProcesses(link, defer, on_lost_all, inventory)
        sockets = KeptSockets(link, processes.copy)
        return Owner(processes, sockets, KeeperStore(link, processes, inventory))

    return make_owner
