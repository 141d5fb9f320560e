"""Signals that people send by hand: to processes, their children, or whole trees."""

from __future__ import annotations

from collections.abc import Sequence

from cvec_circus_core.extend.ports import SignalSelection
from cvec_circus_core.model.errors import BadMessage, CircusError, SystemProblem, UnknownProcess
from cvec_circus_core.model.outcome import Done, Failed
from cvec_circus_core.runtime.tickets import TicketFuture
from cvec_circus_core.system.protocols import Processes, Scope, SignalResult


class PendingSignals:
    """Signals that were sent and not answered yet; the ticket is settled when all are.

    It fails with the first refusal. That nobody was there is one for a child that was named.
    """

    def __init__(self, ticket: TicketFuture, count: int, absent: CircusError | None = None) -> None:
        self._ticket = ticket
        self._missing = count
        self._absent = absent
        self._failure: CircusError | None = None
        self._settle_if_complete()

    def on_signalled(self, result: SignalResult) -> None:
        """Take one answer."""
        if self._failure is None and result.problem:
            self._failure = SystemProblem(result.problem)
        elif self._failure is None and not result.was_there:
            self._failure = self._absent
        self.on_deferred()

    def on_deferred(self) -> None:
        """Count one that may be sent later or not at all, because a hook is asked first."""
        self._missing -= 1
        self._settle_if_complete()

    def _settle_if_complete(self) -> None:
        if self._missing <= 0:
            self._ticket.settle(Done() if self._failure is None else Failed(self._failure))


def is_indirect(selection: SignalSelection) -> bool:
    """Tell whether a signal goes to others than the watcher's own processes."""
    return selection.childpid is not None or selection.children or selection.recursive


def send_indirectly(
    processes: Processes,
    watcher: str,
    pids: Sequence[int],
    signum: int,
    selection: SignalSelection,
    ticket: TicketFuture,
) -> None:
    """Send a signal to whom the selection names beneath the processes.

    The ticket fails with `UnknownProcess` for a child that is not there, with `SystemProblem` where
    a signal is refused.
    """
    child = selection.childpid
    if child is not None:
        if len(pids) != 1:
            raise BadMessage("childpid needs the pid of its parent")
        pending = PendingSignals(ticket, 1, UnknownProcess(child, watcher))
        processes.signal_child(pids[0], child, signum, pending.on_signalled)
        return
    scope = Scope.TREE if selection.recursive else Scope.CHILDREN
    pending = PendingSignals(ticket, len(pids))
    for pid in pids:
        processes.signal(pid, signum, scope, pending.on_signalled)
