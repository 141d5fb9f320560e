"""Stopping what ended processes left behind.

One sweep per tree: all that is alive gets the signal and is watched; when those that are watched
have gone, we look again, since they may have forked meanwhile; when a look shows nobody, the sweep
is over. After the grace everybody gets SIGKILL. A sweep always ends: who is still there `_PATIENCE`
seconds after SIGKILL (hanging in the kernel, or not ours to kill) is named in the log and left.

Looking costs time that grows with the machine, or with the number of our children, so all sweeps
that need a look share one, and a pause in proportion to the cost of the last one keeps the event
loop free. Most sweeps are over with their first look: nobody is there.
"""

from __future__ import annotations

import logging
import os
import signal
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from dataclasses import dataclass, field

from cvec_circus_core.system.processes.exit_watch import NotYet, collect_status
from cvec_circus_core.system.processes.process_table import Row
from cvec_circus_core.system.processes.trees import Tree, open_pidfd
from cvec_circus_core.system.protocols import OnSwept

log = logging.getLogger(__name__)

_PATIENCE = 10.0
_POLL = 0.1
"""How often we look where a process's end can not be heard."""

Find = Callable[[Tree], list[Row]]
"""Returns who of a tree is alive, as of one look at everything."""


@dataclass(slots=True, eq=False)
class _Sweep:
    tree: Tree
    signum: int
    grace: float
    on_swept: OnSwept
    timer: TimerHandle | None = None
    watched: dict[int, tuple[Row, int]] = field(default_factory=dict)


class LeftoverKiller:
    """All sweeps under way."""

    def __init__(
        self, loop: AbstractEventLoop, look: Callable[[], Find], *, hears_ends: bool = True
    ) -> None:
        self._loop = loop
        self._look_at_all = look
        self._hears_ends = hears_ends
        self._sweeps: set[_Sweep] = set()
        self._due: set[_Sweep] = set()
        self._reading: TimerHandle | None = None
        self._cost = 0.0

    def sweep(self, tree: Tree, signum: int, grace: float, on_swept: OnSwept) -> None:
        """Stop what is left of a tree whose root has ended."""
        sweep = _Sweep(tree, signum, grace, on_swept)
        if grace <= 0:
            sweep.signum = signal.SIGKILL
        self._sweeps.add(sweep)
        self._look_soon(sweep)

    def hasten(self, root: int) -> bool:
        """Give a tree that is being swept no more grace; tell whether it is."""
        for sweep in self._sweeps:
            if sweep.tree.root == root:
                if sweep.signum != signal.SIGKILL:
                    self._kill(sweep)
                return True
        return False

    def close(self) -> None:
        """Drop all sweeps; nobody is told."""
        if self._reading is not None:
            self._reading.cancel()
        for sweep in list(self._sweeps):
            self._drop(sweep)

    def _look_soon(self, sweep: _Sweep, pause: float = 0.0) -> None:
        self._due.add(sweep)
        if self._reading is None:
            self._reading = self._loop.call_later(max(pause, 4 * self._cost), self._look)

    def _look(self) -> None:
        self._reading = None
        due, self._due = self._due, set()
        before = self._loop.time()
        find = self._look_at_all()
        self._cost = self._loop.time() - before
        for sweep in due & self._sweeps:
            self._compare(sweep, find(sweep.tree))

    def _compare(self, sweep: _Sweep, rows: list[Row]) -> None:
        if not rows:
            self._finish(sweep)
            return
        if sweep.timer is None:
            self._begin_grace(sweep)
        living = {row.pid: row for row in rows}
        for row, pidfd in list(sweep.watched.values()):
            if not row.is_same(living.get(row.pid)):
                del sweep.watched[row.pid]
                self._release(pidfd)
        for row in rows:
            if row.pid not in sweep.watched:
                self._take_in(sweep, row)
        if not self._hears_all_of(sweep):
            self._look_soon(sweep, _POLL)

    def _begin_grace(self, sweep: _Sweep) -> None:
        if sweep.signum == signal.SIGKILL:
            sweep.timer = self._loop.call_later(_PATIENCE, self._give_up, sweep)
        else:
            sweep.timer = self._loop.call_later(sweep.grace, self._kill, sweep)

    def _hears_all_of(self, sweep: _Sweep) -> bool:
        """Tell whether the next death will wake us, so that nothing needs to be polled."""
        heard = [pidfd for _, pidfd in sweep.watched.values() if pidfd >= 0]
        return self._hears_ends and bool(heard) and len(heard) == len(sweep.watched)

    def _take_in(self, sweep: _Sweep, row: Row) -> None:
        pidfd = open_pidfd(row)
        if pidfd is None:
            return
        sweep.watched[row.pid] = (row, pidfd)
        if pidfd >= 0 and self._hears_ends:
            self._loop.add_reader(pidfd, self._ended, sweep, row.pid, pidfd)
        self._send(sweep, row, pidfd)

    def _send(self, sweep: _Sweep, row: Row, pidfd: int) -> None:
        try:
            if pidfd >= 0:
                signal.pidfd_send_signal(pidfd, sweep.signum)
            else:
                os.kill(row.pid, sweep.signum)
        except ProcessLookupError:
            return
        except OSError as error:
            log.warning(
                "process %d, left by %d, can not be stopped: %s",
                row.pid,
                sweep.tree.root,
                error.strerror,
            )

    def _ended(self, sweep: _Sweep, pid: int, pidfd: int) -> None:
        self._release(pidfd)
        sweep.watched.pop(pid, None)
        if not sweep.watched:
            self._look_soon(sweep)

    def _kill(self, sweep: _Sweep) -> None:
        sweep.signum = signal.SIGKILL
        if sweep.timer is not None:
            sweep.timer.cancel()
            self._begin_grace(sweep)
        if sweep.tree.leaf is None or not sweep.tree.leaf.kill():
            for row, pidfd in sweep.watched.values():
                self._send(sweep, row, pidfd)
        self._look_soon(sweep)

    def _give_up(self, sweep: _Sweep) -> None:
        left = ", ".join(map(str, sorted(sweep.watched)))
        log.error("processes %s, left by %d, did not go; leaving them", left, sweep.tree.root)
        self._finish(sweep)

    def _finish(self, sweep: _Sweep) -> None:
        self._drop(sweep)
        if sweep.tree.leaf is not None:
            sweep.tree.leaf.remove()
        try:
            sweep.on_swept(sweep.tree.root)
        except Exception:
            log.exception("process %d: telling that it is swept failed", sweep.tree.root)

    def _drop(self, sweep: _Sweep) -> None:
        self._sweeps.discard(sweep)
        self._due.discard(sweep)
        if sweep.timer is not None:
            sweep.timer.cancel()
        for _, pidfd in sweep.watched.values():
            self._release(pidfd)
        sweep.watched.clear()

    def _release(self, pidfd: int) -> None:
        if pidfd < 0:
            return
        self._loop.remove_reader(pidfd)
        # With the sub-reaper it may have become our child; if not, this does nothing.
        try:
            collect_status(os.P_PIDFD, pidfd)
        except (NotYet, OSError):
            pass
        os.close(pidfd)
