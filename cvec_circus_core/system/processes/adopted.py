"""Descendants that were given to us because their parents died, and whose they are.

With the sub-reaper (`orphans.py`), a process that detached itself from its tree becomes our own
child. So everything alive that our processes have left behind hangs below those of our children
that we did not start; their spawn tag (`spawn_tags.py`) tells with which spawn they began. What
another part of this process has started (a program that a hook calls) is in our own session; what
we spawn never is, nor are its descendants.

What processes leave behind that we have not started ourselves, but have from an owner who is dead,
is given to the process that has got them: it is looked for there, by the tags of that owner.

Reading costs time that grows with the number of our children, so a snapshot is kept for a moment in
proportion to what it has cost.
"""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from cvec_circus_core.system.processes.process_table import (
    Row,
    child_pids,
    descendants_of,
    read_row,
)
from cvec_circus_core.system.processes.spawn_tags import daemon_of, tag_of

_KEPT = 0.02
_KEPT_COSTS = 4


class AdoptedSnapshot(NamedTuple):
    """Everybody below our adopted children, themselves included; the dead are left out."""

    at: float
    rows: dict[int, Row]
    untagged: dict[int, Row]
    """Those of them whose origin no tag tells."""
    by_tag: dict[int, set[int]]

    def add(self, family: Iterable[Row], tag: int | None) -> None:
        """Add one adopted child and its descendants."""
        living = {row.pid: row for row in family if not row.is_dead}
        self.rows.update(living)
        if tag is None:
            self.untagged.update(living)
        else:
            self.by_tag.setdefault(tag, set()).update(living)

    def tagged(self, tag: int | None) -> Iterable[int]:
        """Return the pids that began with a spawn; nobody's where there is no tag."""
        return () if tag is None else self.by_tag.get(tag, ())


class AdoptedChildren:
    """Looks after our adopted children."""

    def __init__(self, loop: AbstractEventLoop, is_ours: Callable[[int], bool]) -> None:
        self._loop = loop
        self._is_ours = is_ours
        self._known: dict[int, tuple[Row, int | None]] = {}
        self._last = AdoptedSnapshot(float("-inf"), {}, {}, {})
        self._cost = 0.0
        self._elsewhere: dict[int, set[int]] = {}
        """Whose children we look at, beside our own, and what the tags of ours have in common."""

    def look_elsewhere(self, parent: int, tag: int) -> None:
        """Look also among the children of another process, for those with tags like this."""
        self._elsewhere.setdefault(parent, set()).add(daemon_of(tag))

    def recent(self) -> AdoptedSnapshot:
        """Return a snapshot that may be a moment old."""
        age = self._loop.time() - self._last.at
        is_fresh = age < max(_KEPT, _KEPT_COSTS * self._cost)
        return self._last if is_fresh else self.read()

    def read(self) -> AdoptedSnapshot:
        """Look at them all."""
        snapshot = AdoptedSnapshot(self._loop.time(), {}, {}, {})
        for top, tag in self._tops():
            if not top.is_dead:
                snapshot.add([top, *descendants_of([top.pid])], tag)
        self._last = snapshot
        self._cost = self._loop.time() - snapshot.at
        return snapshot

    def _tops(self) -> list[tuple[Row, int | None]]:
        session = os.getsid(0)
        rows: dict[int, tuple[Row, int | None]] = {}
        for pid in child_pids(os.getpid()):
            row = None if self._is_ours(pid) else read_row(pid)
            if row is None or row.session == session:
                continue
            previous = self._known.get(pid)
            is_same = previous is not None and previous[0].is_same(row)
            rows[pid] = (row, previous[1] if previous is not None and is_same else tag_of(pid))
        rows.update(self._tops_elsewhere())
        self._known = rows
        return list(rows.values())

    def _tops_elsewhere(self) -> Iterator[tuple[int, tuple[Row, int]]]:
        for parent, daemons in self._elsewhere.items():
            for pid in child_pids(parent):
                tag = None if self._is_ours(pid) or pid == os.getpid() else tag_of(pid)
                row = None if tag is None or daemon_of(tag) not in daemons else read_row(pid)
                if tag is not None and row is not None:
                    yield pid, (row, tag)
