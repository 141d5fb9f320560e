"""The moment from which new processes answer on their managed sockets.

A process is looked at from its spawn on, soon at first and then less often, until its tree was seen
twice to wait on one of its sockets, some time apart and without having lost a member meanwhile: a
server that dies while it loads its application waits never, or only once. One that is at work on a
connection from its first moment on counts, too.

All that are new at the same time are looked at one after another, and what looking costs is kept to
a part of the time, so that a start of hundreds does not keep the daemon from anything else.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

from cvec_circus_core.model.launch import Served
from cvec_circus_core.system.net.busy_connections import is_any_busy
from cvec_circus_core.system.net.socket_waits import Waiting, look_at_waits
from cvec_circus_core.system.processes.process_table import descendants_of

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.02, 0.25, 1.3
"""Seconds between two looks at one process."""
APART = 0.2
"""Seconds between the two looks that count."""
BLIND_FOR = 1.0
"""Seconds after which what can not be seen is given up."""
_SHARE = 0.25
"""The part of the loop's time that looking may take."""


@dataclass(slots=True)
class _Candidate:
    pid: int
    served: Served
    inodes: frozenset[int]
    tell: Callable[[Waiting], None]
    begun_at: float
    pause: float = FIRST_PAUSE
    seen_at: float | None = None
    seen_pids: frozenset[int] = frozenset()


class ServingWatch:
    """Looks at new processes until they wait on their sockets."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._candidates: dict[int, _Candidate] = {}
        self._due: list[tuple[float, int]] = []
        self._timer: TimerHandle | None = None
        self._next_look_at = 0.0

    def add(
        self, pid: int, served: Served, inodes: frozenset[int], tell: Callable[[Waiting], None]
    ) -> None:
        """Call ``tell`` once, when the tree of a process waits on a socket, or can not be seen."""
        now = self._loop.time()
        self._candidates[pid] = _Candidate(pid, served, inodes, tell, now)
        self._schedule(now + FIRST_PAUSE, pid)

    def discard(self, pid: int) -> None:
        """Look at a process no more: it has ended, or is ready for another reason."""
        self._candidates.pop(pid, None)
        if not self._candidates:
            self.close()

    def close(self) -> None:
        """Look at nobody any more."""
        self._candidates.clear()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, due_at: float, pid: int) -> None:
        heappush(self._due, (due_at, pid))
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            self._timer = self._loop.call_at(
                max(self._due[0][0], self._next_look_at), self._look_at_next
            )

    def _look_at_next(self) -> None:
        self._timer = None
        _, pid = heappop(self._due)
        candidate = self._candidates.get(pid)
        if candidate is not None:
            begun_at = self._loop.time()
            verdict = _judge(candidate, begun_at)
            ended_at = self._loop.time()
            self._next_look_at = ended_at + (ended_at - begun_at) / _SHARE
            if verdict is Waiting.NOT_YET:
                heappush(self._due, (ended_at + candidate.pause, pid))
                candidate.pause = min(candidate.pause * GROWTH, LONGEST_PAUSE)
            else:
                del self._candidates[pid]
                candidate.tell(verdict)
        self._set_timer()


def _judge(candidate: _Candidate, now: float) -> Waiting:
    pids = [candidate.pid, *(row.pid for row in descendants_of([candidate.pid]))]
    waiting = look_at_waits(pids, candidate.inodes)
    if waiting is not Waiting.YES and is_any_busy(pids, candidate.served):
        waiting = Waiting.YES
    if waiting is not Waiting.YES:
        candidate.seen_at = None
        is_blind = waiting is Waiting.UNKNOWN and now - candidate.begun_at >= BLIND_FOR
        return Waiting.UNKNOWN if is_blind else Waiting.NOT_YET
    if candidate.seen_at is None or not candidate.seen_pids <= set(pids):
        candidate.seen_at, candidate.seen_pids = now, frozenset(pids)
        candidate.pause = APART
        return Waiting.NOT_YET
    return Waiting.YES if now - candidate.seen_at >= APART else Waiting.NOT_YET
