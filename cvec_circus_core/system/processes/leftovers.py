"""Stopping what ended processes left behind.

One round per tree: all that is alive gets the signal and is watched; when those that are watched
have gone, we look again, since they may have forked meanwhile; when a look shows nobody, the round
is over. After the grace everybody gets SIGKILL. A round always ends: who is still there `_PATIENCE`
seconds after SIGKILL (hanging in the kernel, or not ours to kill) is named in the log and left.

Looking costs time that grows with the machine, or with the number of our children, so all rounds
that need a look share one, and a pause in proportion to the cost of the last one keeps the event
loop free. Most rounds are over with their first look: nobody is there.
"""

from __future__ import annotations

import logging
import os
import signal
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable

from cvec_circus_core.system.processes.exit_watch import NotYet, collect_status
from cvec_circus_core.system.processes.process_table import Row
from cvec_circus_core.system.processes.trees import Tree, open_pidfd
from cvec_circus_core.system.protocols import OnGone

log = logging.getLogger(__name__)

_PATIENCE = 10.0
_POLL = 0.1
"""How often we look where a process's end can not be heard."""

FindLiving = Callable[[Tree], list[Row]]
"""Returns who of a tree is alive, as of one look at everything."""


class _Round:
    def __init__(self, tree: Tree, signum: int, grace: float, on_gone: OnGone) -> None:
        self.tree = tree
        self.signum = signum
        self.grace = grace
        self.on_gone = on_gone
        self.timer: TimerHandle | None = None
        self.watched: dict[int, tuple[Row, int]] = {}


class LeftoverKiller:
    """Stops the trees of ended processes."""

    def __init__(
        self, loop: AbstractEventLoop, look: Callable[[], FindLiving], *, hears_ends: bool = True
    ) -> None:
        self._loop = loop
        self._look_at_all = look
        self._hears_ends = hears_ends
        self._rounds: set[_Round] = set()
        self._due: set[_Round] = set()
        self._reading: TimerHandle | None = None
        self._cost = 0.0

    def kill(self, tree: Tree, signum: int, grace: float, on_gone: OnGone) -> None:
        """Stop what is left of a tree whose root has ended."""
        round_ = _Round(tree, signum, grace, on_gone)
        if grace <= 0:
            round_.signum = signal.SIGKILL
        self._rounds.add(round_)
        self._look_soon(round_)

    def hasten(self, root: int) -> bool:
        """Give a tree that is being stopped no more grace; tell whether it is."""
        for round_ in self._rounds:
            if round_.tree.root == root:
                if round_.signum != signal.SIGKILL:
                    self._kill(round_)
                return True
        return False

    def close(self) -> None:
        """Drop all rounds; nobody is told."""
        if self._reading is not None:
            self._reading.cancel()
        for round_ in list(self._rounds):
            self._drop(round_)

    def _look_soon(self, round_: _Round, pause: float = 0.0) -> None:
        self._due.add(round_)
        if self._reading is None:
            self._reading = self._loop.call_later(max(pause, 4 * self._cost), self._look)

    def _look(self) -> None:
        self._reading = None
        due, self._due = self._due, set()
        began_at = self._loop.time()
        find = self._look_at_all()
        self._cost = self._loop.time() - began_at
        for round_ in due & self._rounds:
            self._compare(round_, find(round_.tree))

    def _compare(self, round_: _Round, rows: list[Row]) -> None:
        if not rows:
            self._finish(round_)
            return
        if round_.timer is None:
            self._begin_grace(round_)
        living = {row.pid: row for row in rows}
        for row, pidfd in list(round_.watched.values()):
            if not row.is_same(living.get(row.pid)):
                del round_.watched[row.pid]
                self._release(pidfd)
        for row in rows:
            if row.pid not in round_.watched:
                self._watch_and_signal(round_, row)
        if not self._hears_all_of(round_):
            self._look_soon(round_, _POLL)

    def _begin_grace(self, round_: _Round) -> None:
        if round_.signum == signal.SIGKILL:
            round_.timer = self._loop.call_later(_PATIENCE, self._give_up, round_)
        else:
            round_.timer = self._loop.call_later(round_.grace, self._kill, round_)

    def _hears_all_of(self, round_: _Round) -> bool:
        """Tell whether the next death will wake us, so that nothing needs to be polled."""
        pidfds = [pidfd for _, pidfd in round_.watched.values() if pidfd >= 0]
        return self._hears_ends and bool(pidfds) and len(pidfds) == len(round_.watched)

    def _watch_and_signal(self, round_: _Round, row: Row) -> None:
        pidfd = open_pidfd(row)
        if pidfd is None:
            return
        round_.watched[row.pid] = (row, pidfd)
        if pidfd >= 0 and self._hears_ends:
            self._loop.add_reader(pidfd, self._ended, round_, row.pid, pidfd)
        self._send(round_, row, pidfd)

    def _send(self, round_: _Round, row: Row, pidfd: int) -> None:
        # A stopped one goes on, so that it can handle what it was sent.
        numbers = [round_.signum]
        if round_.signum != signal.SIGKILL:
            numbers.append(signal.SIGCONT)
        try:
            for number in numbers:
                if pidfd >= 0:
                    signal.pidfd_send_signal(pidfd, number)
                else:
                    os.kill(row.pid, number)
        except ProcessLookupError:
            return
        except OSError as error:
            log.warning(
                "process %d, left by %d, can not be stopped: %s",
                row.pid,
                round_.tree.root,
                error.strerror,
            )

    def _ended(self, round_: _Round, pid: int, pidfd: int) -> None:
        self._release(pidfd)
        round_.watched.pop(pid, None)
        if not round_.watched:
            self._look_soon(round_)

    def _kill(self, round_: _Round) -> None:
        round_.signum = signal.SIGKILL
        if round_.timer is not None:
            round_.timer.cancel()
            self._begin_grace(round_)
        if round_.tree.leaf is None or not round_.tree.leaf.kill():
            for row, pidfd in round_.watched.values():
                self._send(round_, row, pidfd)
        self._look_soon(round_)

    def _give_up(self, round_: _Round) -> None:
        pids = ", ".join(map(str, sorted(round_.watched)))
        log.error("processes %s, left by %d, did not go; leaving them", pids, round_.tree.root)
        self._finish(round_)

    def _finish(self, round_: _Round) -> None:
        self._drop(round_)
        if round_.tree.leaf is not None:
            round_.tree.leaf.remove()
        try:
            round_.on_gone(round_.tree.root)
        except Exception:
            log.exception("process %d: telling that its tree is gone failed", round_.tree.root)

    def _drop(self, round_: _Round) -> None:
        self._rounds.discard(round_)
        self._due.discard(round_)
        if round_.timer is not None:
            round_.timer.cancel()
        for _, pidfd in round_.watched.values():
            self._release(pidfd)
        round_.watched.clear()

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
