"""Reaping the orphans that the kernel gives us: as a sub-reaper, or as process 1 of a container.

Exit statuses of others are never taken:

* a child that we spawned is collected by its `ExitWatcher`, so its pid is left alone here;
* a child that somebody else in this process started (a hook that calls a program) is in our own
  session, and its owner waits for it. What we spawned leads a session of its own, so an orphan is
  never in ours;
* a child that was there before us (``exec circusd`` in a shell with background jobs, an entry point
  of a container) is nobody's any more, whatever its session;
* a zombie of another session is collected only at the second sight: who waits for it by itself,
  from a thread, has done so by then.

SIGCHLD says that there is something to see, and one question to the kernel whether there is a
zombie at all when the crowd has been dealt with; only then are our children listed.
"""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable, Iterable

from cvec_circus_core.system.processes.process_table import child_pids

_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
"""Deaths come in crowds, and our own children's are collected meanwhile. The pause doubles while
all zombies are our own: to list a thousand children takes milliseconds."""


class OrphanReaper:
    """Collects dead children that nobody waits for."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        is_ours: Callable[[int], bool],
        inherited: Iterable[int] = (),
    ) -> None:
        """Reap from now on; ``inherited`` are the children that were there before us."""
        self._inherited = set(inherited)
        self._loop = loop
        self._is_ours = is_ours
        self._seen: set[int] = set()
        self._next: TimerHandle | None = None
        self._pause = _PAUSE
        self.reaped = 0
        if self._inherited:
            self.child_died()  # Of those that are dead already no signal comes.

    def child_died(self) -> None:
        """Look soon: this is what to do at SIGCHLD."""
        if self._next is None:
            self._next = self._loop.call_later(self._pause, self._look)

    def close(self) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _look(self) -> None:
        self._next = None
        there_is_one = _peek(os.P_ALL, 0)
        zombies = self._find() if there_is_one else set()
        is_crowd_of_ours = there_is_one and not zombies
        self._pause = min(2 * self._pause, _LONGEST_PAUSE) if is_crowd_of_ours else _PAUSE
        for pid in zombies & self._seen:
            self._inherited.discard(pid)
            self.reaped += _reap(pid)
        self._seen = zombies - self._seen
        if self._seen:
            self.child_died()

    def _find(self) -> set[int]:
        strange = (pid for pid in child_pids(os.getpid()) if not self._is_ours(pid))
        nobodys = (pid for pid in strange if pid in self._inherited or _is_foreign(pid))
        return {pid for pid in nobodys if _peek(os.P_PID, pid)}


def _peek(kind: int, number: int) -> bool:
    """Tell whether there is a zombie, and leave it there."""
    try:
        return os.waitid(kind, number, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def _is_foreign(pid: int) -> bool:
    try:
        return os.getsid(pid) != os.getsid(0)
    except ProcessLookupError:
        return False


def _reap(pid: int) -> int:
    try:
        return int(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is not None)
    except ChildProcessError:
        return 0
