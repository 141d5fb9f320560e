"""Signals that people send by hand: to processes, their children, or whole trees."""

from __future__ import annotations

from collections.abc import Iterable

from cvec_circus_core.extend.ports import SignalSelection
from cvec_circus_core.model.errors import BadMessage, UnknownProcess
from cvec_circus_core.model.values import Struct
from cvec_circus_core.system.protocols import Processes, Scope


class Selection(Struct, frozen=True):
    """Which processes a signal goes to, as plain values."""

    pid: int | None = None
    wid: int | None = None
    childpid: int | None = None
    children: bool = False
    recursive: bool = False


def send(
    processes: Processes,
    watcher: str,
    pids: Iterable[int],
    signum: int,
    selection: SignalSelection,
) -> None:
    """Send a signal to the processes, or to whom the selection names beneath them.

    Raises `UnknownProcess` for a child that is not there, `SystemProblem` where it is refused.
    """
    if selection.childpid is not None:
        _send_to_child(processes, watcher, tuple(pids), signum, selection.childpid)
        return
    scope = Scope.PROCESS
    if selection.children:
        scope = Scope.CHILDREN
    if selection.recursive:
        scope = Scope.TREE
    for pid in pids:
        processes.signal(pid, signum, scope)


def _send_to_child(
    processes: Processes, watcher: str, pids: tuple[int, ...], signum: int, childpid: int
) -> None:
    if len(pids) != 1:
        raise BadMessage("childpid needs the pid of its parent")
    if not processes.signal_child(pids[0], childpid, signum):
        raise UnknownProcess(childpid, watcher)
