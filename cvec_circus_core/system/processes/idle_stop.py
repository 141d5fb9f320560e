"""Ending a process between two requests, where it does not know of the signal that ends it.

A process that handles its stop signal finishes what it has begun. One that does not is dead the
moment the signal comes, and a client that waits for its answer gets none. But it can be seen from
outside whether it has a connection that somebody waits on (`busy_connections.py`), and it can be
held for the look: SIGSTOP, and when all its threads stand still, another look. If it answers nobody
then, the signal is sent, and it never runs again; what had not been accepted yet is for others to
accept. If it does, it goes on (SIGCONT), and the next look comes a little later.

The same goes for those of its descendants that do not handle the signal either, such as a server
that a shell has started: they would be stopped right after it.
"""

from __future__ import annotations

import logging
import signal
from asyncio import AbstractEventLoop
from collections.abc import Callable
from dataclasses import dataclass

from cvec_circus_core.model.launch import Served
from cvec_circus_core.system.net.busy_connections import is_any_busy
from cvec_circus_core.system.proc import (
    list_threads,
    may_list_descriptors,
    read_or_none,
    read_stat,
)
from cvec_circus_core.system.processes.hold_guard import HoldGuard
from cvec_circus_core.system.processes.process_table import Row, descendants_of, read_row
from cvec_circus_core.system.processes.trees import send

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.01, 0.1, 1.3
"""Seconds between two looks."""
_TO_STAND_STILL = 0.002
_HELD_AT_MOST = 0.3
"""Seconds that a process may take to stand still; a machine that slow has other troubles."""
_SIGNAL_SETS = (b"SigBlk:", b"SigIgn:", b"SigCgt:")
_SIGWAIT = b"do_sigtimedwait"
_STILL = frozenset({b"T", b"t", b"Z", b"X", b"x"})


@dataclass(frozen=True, slots=True)
class IdleStopRequest:
    """Whom to end, by what, and the sockets that it may be serving."""

    pid: int
    signum: int
    served: Served
    is_there: Callable[[], bool]
    """Whether the process has not been reaped."""
    send: Callable[[], None]


class IdleStop:
    """Waits for the moment at which a process answers nobody."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        request: IdleStopRequest,
        patience: float,
        guard: HoldGuard,
    ) -> None:
        self._loop = loop
        self._guard = guard
        self._request = request
        self._until = loop.time() + patience
        self._pause = _FIRST_PAUSE
        self._held: list[Row] = []
        self._held_at = 0.0

    def begin(self) -> None:
        """Send the signal now or later, in any case before the patience ends."""
        self._look()

    def _look(self) -> None:
        request = self._request
        if not request.is_there():
            request.send()  # To nobody: who waits for the result is told so.
            return
        members = mortals(request.pid, request.signum)
        is_late = self._loop.time() >= self._until
        if not members or is_late or not _can_look(members):
            if is_late:
                log.info("process %d answers somebody still; it is ended now", request.pid)
            request.send()
        elif is_any_busy(_pids(members), request.served):
            self._look_later()
        else:
            self._hold(members)

    def _hold(self, members: list[Row]) -> None:
        self._held, self._held_at = members, self._loop.time()
        self._guard.hold(member.pid for member in members)
        try:
            for member in members:
                send(member, signal.SIGSTOP)
        except OSError:
            # One of them belongs to somebody who does not let us hold it.
            self._resume()
            self._request.send()
        else:
            self._judge()

    def _look_later(self) -> None:
        self._loop.call_later(self._pause, self._look)
        self._pause = min(self._pause * _GROWTH, _LONGEST_PAUSE)

    def _judge(self) -> None:
        request = self._request
        if not request.is_there():
            self._resume()
            request.send()
            return
        # Whether they stand still is asked first: what was accepted before that can be seen after.
        are_still = all(_stands_still(member.pid) for member in self._held)
        is_long = self._loop.time() - self._held_at > _HELD_AT_MOST
        if is_any_busy(_pids(self._held), request.served) or (is_long and not are_still):
            self._resume()
            self._look_later()
        elif are_still:
            self._end()
        else:
            self._loop.call_later(_TO_STAND_STILL, self._judge)

    def _end(self) -> None:
        try:
            self._request.send()
            for member in self._held[1:]:
                send(member, self._request.signum)
        finally:
            self._resume()

    def _resume(self) -> None:
        members, self._held = self._held, []
        for member in members:
            try:
                send(member, signal.SIGCONT)
            except OSError:
                continue
        self._guard.release(member.pid for member in members)


def mortals(pid: int, signum: int) -> list[Row]:
    """Return a process and then its descendants, without those that handle a signal.

    Empty where the process itself does.
    """
    if not dies_of(pid, signum):
        return []
    root = read_row(pid)
    if root is None:
        return []
    return [root, *(row for row in descendants_of([pid]) if dies_of(row.pid, signum))]


def dies_of(pid: int, signum: int) -> bool:
    """Tell whether a signal ends a process unawares: not caught, ignored, blocked, or waited for.

    While a thread stands in sigwait, the kernel shows what it waits for as not blocked.
    """
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            lines = file.readall().split(b"\n")
    except OSError:
        return False
    sets = [int(line[7:], 16) for line in lines if line.startswith(_SIGNAL_SETS)]
    if not sets or any(mask >> signum - 1 & 1 for mask in sets):
        return False
    return not _waits_for_signals(pid)


def _waits_for_signals(pid: int) -> bool:
    return (read_or_none(pid, "wchan") or b"").startswith(_SIGWAIT)


def _pids(members: list[Row]) -> list[int]:
    return [member.pid for member in members]


def _can_look(members: list[Row]) -> bool:
    return all(may_list_descriptors(member.pid) for member in members)


def _stands_still(pid: int) -> bool:
    stats = (read_stat(pid, thread) for thread in list_threads(pid))
    return all(stat is None or stat.state in _STILL for stat in stats)
