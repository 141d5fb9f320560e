"""What a process has brought forth, and how to reach all of it.

There are five ways to know a descendant, from sure to weak:

1. it is in the control group of the process, if the plan asked for one (`cgroups.py`);
2. it was given to us as an orphan, and carries the spawn tag of the tree (`adopted.py`);
3. a chain of living parents leads to the process;
4. it was seen on such a chain before, and is still the same process (pid and start time): so a
   look is taken before a tree is signalled, since the signal breaks the chains;
5. it is in a session that the process, or a descendant of it seen before, was the leader of.
   Every spawned process leads a session; a number in use as a session is not given out again.

The second way is the daemon's, which is a sub-reaper. A library is none, and tags nobody: there,
better one too few is found than one of somebody else's.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from cvec_circus_core.system.proc import GONE
from cvec_circus_core.system.processes.adopted import AdoptedSnapshot
from cvec_circus_core.system.processes.cgroups import Leaf
from cvec_circus_core.system.processes.process_table import (
    Row,
    children_of,
    descendants_in,
    descendants_of,
    read_row,
)


class Tree:
    """One spawned process and what we know of its descendants."""

    __slots__ = ("leaf", "root", "seen", "tag")

    def __init__(self, root: int, leaf: Leaf | None = None, tag: int | None = None) -> None:
        self.root = root
        self.leaf = leaf
        self.tag = tag
        self.seen: dict[int, Row] = {}

    def look(self, adopted: AdoptedSnapshot | None = None) -> list[Row]:
        """Look at the living descendants, the root still being alive; remember them."""
        if self.leaf is not None:
            rows = [row for pid in self.leaf.pids() if (row := read_row(pid)) is not None]
        else:
            old = [row for row in self.seen.values() if row.is_same(read_row(row.pid))]
            rows = [*old, *descendants_of([self.root, *(row.pid for row in old)])]
        if adopted is not None:
            rows += (adopted.rows[pid] for pid in adopted.tagged(self.tag))
        return self._remember(rows)

    def look_among(self, adopted: AdoptedSnapshot) -> list[Row]:
        """Look at the living descendants after the root has ended, all of them being with us."""
        tagged = [adopted.rows[pid] for pid in adopted.tagged(self.tag)]
        return self._remember([*tagged, *self._rows_in(adopted.untagged)])

    def look_in(self, table: Mapping[int, Row]) -> list[Row]:
        """Look at the living descendants after the root has ended; remember them."""
        return self._remember(self._rows_in(table))

    def _rows_in(self, table: Mapping[int, Row]) -> list[Row]:
        rows = {row.pid: row for row in self.seen.values() if row.is_same(table.get(row.pid))}
        rows |= {row.pid: row for row in table.values() if self._has_session_of(row, table)}
        if self.leaf is not None:
            inside = (table.get(pid) or read_row(pid) for pid in self.leaf.pids())
            rows |= {row.pid: row for row in inside if row is not None}
        rows |= {row.pid: row for row in descendants_in(table, rows)}
        return list(rows.values())

    def has_survivors(self) -> bool:
        """Tell, at small cost and right after the root was reaped, whether anything is alive."""
        if self.leaf is not None:
            return bool(self.leaf.pids())
        return has_group(self.root) or any(
            row.is_same(now) and now is not None and not now.is_dead
            for row in self.seen.values()
            for now in (read_row(row.pid),)
        )

    def _has_session_of(self, row: Row, table: Mapping[int, Row]) -> bool:
        if row.session == self.root:
            # The root is gone: a process that has its number and leads this session is a newcomer.
            return self.root not in table
        leader = self.seen.get(row.session)
        if leader is None or leader.session != leader.pid:
            return False
        now = table.get(leader.pid)
        return now is None or leader.is_same(now)

    def _remember(self, rows: list[Row]) -> list[Row]:
        living = {row.pid: row for row in rows if not row.is_dead and row.pid != self.root}
        # Leaders of sessions stay known after their end, as long as a session of theirs lives.
        sessions = {row.session for row in living.values()}
        leaders = {pid: row for pid, row in self.seen.items() if pid in sessions}
        self.seen = leaders | living
        return list(living.values())


def signal_tree(tree: Tree, signum: int, adopted: AdoptedSnapshot | None = None) -> bool:
    """Signal the root, still unreaped, and all its descendants, each once."""
    rows = tree.look(adopted)
    if signum == signal.SIGKILL and tree.leaf is not None and tree.leaf.kill():
        return True
    targets = [partial(_signal_group, tree.root, signum)]
    targets += [partial(send, row, signum) for row in rows if row.group != tree.root]
    was_there = signal_each(targets)
    if signum == signal.SIGKILL:
        signal_each(partial(send, row, signum) for row in tree.look())
    return was_there


def signal_each(targets: Iterable[Callable[[], bool]]) -> bool:
    """Signal all; tell whether anybody was there.

    Raises the first refusal, after all were tried.
    """
    was_there, refusal = False, None
    for target in targets:
        try:
            was_there |= target()
        except OSError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal
    return was_there


def signal_children(root: int, signum: int) -> bool:
    """Signal the direct children of a living process."""
    living = [row for row in children_of(root) if not row.is_dead]
    return signal_each(partial(send, row, signum) for row in living)


def signal_descendants(root: int, signum: int) -> bool:
    """Signal everything below a living process, and not the process."""
    living = [row for row in descendants_of([root]) if not row.is_dead]
    return signal_each(partial(send, row, signum) for row in living)


def signal_child(root: int, child_pid: int, signum: int) -> bool:
    """Signal one direct child of a living process, if it is one."""
    rows = [row for row in children_of(root) if row.pid == child_pid]
    return bool(rows) and send(rows[0], signum)


def send(row: Row, signum: int) -> bool:
    """Signal one process if it is still the one that was looked at. Raises PermissionError."""
    pidfd = open_pidfd(row)
    if pidfd is None:
        return False
    try:
        if pidfd >= 0:
            signal.pidfd_send_signal(pidfd, signum)
        else:
            os.kill(row.pid, signum)
    except ProcessLookupError:
        return False
    finally:
        if pidfd >= 0:
            os.close(pidfd)
    return True


def open_pidfd(row: Row) -> int | None:
    """Return a pidfd of just this process; None if it is gone, -1 if there are no pidfds here."""
    pidfd = -1
    if hasattr(os, "pidfd_open"):
        try:
            pidfd = os.pidfd_open(row.pid)
        except OSError as error:
            if error.errno in GONE:
                return None
            pidfd = -1
    # Look after opening: if it is the same now, it was so when the descriptor was made.
    if row.is_same(read_row(row.pid)):
        return pidfd
    if pidfd >= 0:
        os.close(pidfd)
    return None


def has_group(pid: int) -> bool:
    """Tell whether the process group that a reaped process led still has members."""
    try:
        return _signal_group(pid, 0)
    except PermissionError:
        return True


def _signal_group(pid: int, signum: int) -> bool:
    try:
        os.killpg(pid, signum)
    except ProcessLookupError:
        return False
    return True
