"""Which kind of processes this machine has, and this process itself as the owner of them."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Protocol

from cvec_circus_core.model.exits import Exit
from cvec_circus_core.system.net.owned_sockets import OwnedSockets
from cvec_circus_core.system.processes.descendants import Descendants
from cvec_circus_core.system.processes.exit_watch import (
    PidfdExitWatcher,
    ThreadExitWatcher,
    has_pidfds,
)
from cvec_circus_core.system.processes.launcher import Launcher
from cvec_circus_core.system.processes.local import LocalProcesses
from cvec_circus_core.system.processes.local_store import LocalStore
from cvec_circus_core.system.processes.state_file import NO_RECORD, SpawnRecord
from cvec_circus_core.system.protocols import Defer, Owner
from cvec_circus_core.system.state_store import Inventory, OnExit


class MakeLocal(Protocol):
    """Makes one kind of them."""

    def __call__(
        self,
        loop: AbstractEventLoop,
        launcher: Launcher | None = None,
        defer: Defer | None = None,
        sockets: OwnedSockets | None = None,
        record: SpawnRecord = NO_RECORD,
    ) -> LocalProcesses:
        """Return processes that belong to a loop."""


def _kind(hears_ends: Callable[[], bool], *, is_subreaper: bool = False) -> MakeLocal:
    def make(
        loop: AbstractEventLoop,
        launcher: Launcher | None = None,
        defer: Defer | None = None,
        sockets: OwnedSockets | None = None,
        record: SpawnRecord = NO_RECORD,
    ) -> LocalProcesses:
        by_pidfd = hears_ends()
        exits = PidfdExitWatcher(loop) if by_pidfd else ThreadExitWatcher(loop)
        descendants = Descendants(
            loop, hears_ends=by_pidfd, is_subreaper=is_subreaper, record=record
        )
        return LocalProcesses(loop, exits, descendants, launcher, defer, sockets)

    return make


pidfd_processes = _kind(lambda: True)
"""Processes whose ends are heard by pidfd."""
thread_processes = _kind(lambda: False)
"""Processes whose ends are heard by threads."""
choose_processes = _kind(lambda: has_pidfds())
"""The better kind for this machine."""
subreaper_processes = _kind(lambda: has_pidfds(), is_subreaper=True)
"""The same for a sub-reaper: what they leave behind is always found."""

MakeOwner = Callable[[AbstractEventLoop, Launcher, Defer], Owner]


def local_owner(
    make: MakeLocal = choose_processes,
    record: SpawnRecord = NO_RECORD,
    inventory: Inventory | None = None,
) -> MakeOwner:
    """Return what makes this process itself the owner of processes and sockets.

    It has those of the inventory from the beginning.
    """
    taken_over = inventory or Inventory()

    def make_owner(loop: AbstractEventLoop, launcher: Launcher, defer: Defer) -> Owner:
        sockets = OwnedSockets(loop)
        processes = make(loop, launcher, defer, sockets, record)
        for plan, opened in taken_over.sockets:
            sockets.adopt(plan, opened)

        def adopt(pid: int, on_exit: OnExit) -> None:
            try:
                processes.adopt(pid, on_exit)
            except OSError:
                loop.call_soon(on_exit, pid, Exit(None))

        return Owner(processes, sockets, LocalStore(record, taken_over, adopt))

    return make_owner
