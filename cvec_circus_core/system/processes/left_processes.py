"""What a daemon that was killed has left behind, proved and stopped, whole trees.

A process that the state file names is proved by its pid and start time. Whatever carries a spawn
tag of that daemon began with a process of its own, too: so descendants are found that detached
themselves, and those of a process that has ended since. A session is looked at only while the
process lives that leads it, for its number may be another's later.

Nobody's children are waited for by pidfd; a start waits until they are gone, since they hold
addresses and files that its own processes will need.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from cvec_circus_core.system.proc import HAS_PROC, list_pids
from cvec_circus_core.system.processes.abandoned import pids_above
from cvec_circus_core.system.processes.process_table import (
    Row,
    descendants_in,
    read_row,
    read_table,
)
from cvec_circus_core.system.processes.spawn_tags import daemon_of, tag_of
from cvec_circus_core.system.processes.state_file import DAEMON_TITLE, Recorded, Records, living_in
from cvec_circus_core.system.processes.trees import open_pidfd, send

_LAST_GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL for what is left of a tree whose root has gone."""
_KILL_LIMIT = 5.0
"""Seconds that processes may take to go after SIGKILL."""
_LOOK_AGAIN = 0.05
"""Seconds until it is looked again, where there are no pidfds."""


class Farewell(NamedTuple):
    """How the processes of a watcher are asked to go."""

    signum: int = signal.SIGTERM
    grace: float = 5.0
    """Seconds until SIGKILL."""


class LeftProcesses:
    """What is left of the daemons that a state file names."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.roots: Mapping[int, Recorded] = {found.pid: found for found in living_in(records)}
        """Those that the daemons have started and that live, by pid."""

    def look(self) -> dict[int, Row]:
        """Return everybody that lives of them now, descendants too, by pid."""
        table = {pid: row for pid, row in read_table().items() if not row.is_dead}
        roots = {
            pid for pid, root in self.roots.items() if pid in table and _is_same(root, table[pid])
        }
        tops = {row.pid for row in table.values() if row.session in roots} | roots
        if self._records.daemons and HAS_PROC:
            tops.update(pid for pid in table if self._is_tagged(pid))
        below = descendants_in(table, tops)
        family = {**{pid: table[pid] for pid in tops}, **{row.pid: row for row in below}}
        # We may have been started by a process that is left.
        for pid in (os.getpid(), *pids_above()):
            family.pop(pid, None)
        return family

    def stop(self, farewell_of: Callable[[Recorded], Farewell]) -> list[Row]:
        """Stop them all; return those that did not go."""
        if not self.look():
            return []
        self._ask_roots(farewell_of)
        for signum, limit in ((signal.SIGTERM, _LAST_GRACE), (signal.SIGKILL, _KILL_LIMIT)):
            ends_at = time.monotonic() + limit
            while left := self.look():
                _signal(left.values(), signum)
                _wait_gone(left.values(), min(ends_at, time.monotonic() + _LAST_GRACE))
                if time.monotonic() >= ends_at:
                    break
        return list(self.look().values())

    def _ask_roots(self, farewell_of: Callable[[Recorded], Farewell]) -> None:
        """Give each the signal and the time that its watcher gives."""
        waiting: dict[float, list[Row]] = {}
        for pid, root in self.roots.items():
            row = read_row(pid)
            if row is None or not _is_same(root, row):
                continue
            if root.title == DAEMON_TITLE:
                _signal((row,), signal.SIGKILL)
                continue
            signum, grace = farewell_of(root)
            _signal((row,), signum, signal.SIGCONT)
            waiting.setdefault(grace, []).append(row)
        began_at = time.monotonic()
        for grace in sorted(waiting):
            _wait_gone(waiting[grace], began_at + grace)
            _signal(waiting[grace], signal.SIGKILL)

    def _is_tagged(self, pid: int) -> bool:
        tag = tag_of(pid)
        return (
            tag is not None
            and daemon_of(tag) in self._records.daemons
            and tag not in self._records.spared
        )


def kill_strays(records: Records, known: Container[int]) -> list[int]:
    """Kill what an owner has started who died before anybody knew of it; return the pids.

    Each is in the record and not ``known``, or began with a spawn after the last that is recorded.
    """
    strays = [
        row
        for pid in list_pids()
        if pid not in known and _is_stray(records, pid) and (row := read_row(pid)) is not None
    ]
    _signal(strays, signal.SIGKILL)
    return [row.pid for row in strays if not row.is_dead]


def _is_stray(records: Records, pid: int) -> bool:
    if (process := records.processes.get(pid)) is not None:
        return process.title != DAEMON_TITLE
    tag = tag_of(pid)
    last = None if tag is None else records.last_tags.get(daemon_of(tag))
    return tag is not None and last is not None and tag > last


def _is_same(root: Recorded, row: Row) -> bool:
    return row.started == root.started


def _signal(rows: Iterable[Row], *signals: int) -> None:
    """Send signals to processes that are the same still, and that we may signal."""
    for row in rows:
        for signum in signals:
            with suppress(PermissionError):
                send(row, signum)


def _wait_gone(rows: Iterable[Row], ends_at: float) -> None:
    """Wait until processes have gone, until a moment at most."""
    for row in rows:
        pidfd = open_pidfd(row)
        if pidfd is None:
            continue
        if pidfd < 0:
            while row.is_same(read_row(row.pid)) and time.monotonic() < ends_at:
                time.sleep(_LOOK_AGAIN)
            continue
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll(max(0.0, ends_at - time.monotonic()) * 1000)
        os.close(pidfd)
