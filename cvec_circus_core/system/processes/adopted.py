"""Descendants that were given to us because their parents died, and whose they are.

With the sub-reaper (`orphans.py`), whoever detached itself from its tree becomes our own child. So
everything alive that our processes have left behind hangs below those of our children that we did
not start; their birthmark (`birthmarks.py`) tells with which spawn they began. What another part of
this process has started (a program that a hook calls) is in our own session; what we spawn never
is, nor are its descendants.

Reading costs time that grows with the number of our children, so a reading is kept for a moment in
proportion to what it has cost.
"""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable

from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.system.processes.process_table import (
    Row,
    child_pids,
    descendants_of,
    read_row,
)
from cvec_circus_core.system.processes.spawn_tags import mark_of

_KEPT = 0.02
_KEPT_COSTS = 4


class Reading(Struct, frozen=True):
    """Everybody below our adopted children, themselves included; the dead are left out."""

    at: float
    rows: dict[int, Row] = field(default_factory=dict)
    unmarked: dict[int, Row] = field(default_factory=dict)
    """Those of them whose origin no mark tells."""
    by_mark: dict[int, set[int]] = field(default_factory=dict)

    def take(self, family: Iterable[Row], mark: int | None) -> None:
        """Take in one adopted child and its descendants."""
        living = {row.pid: row for row in family if not row.is_dead}
        self.rows.update(living)
        if mark is None:
            self.unmarked.update(living)
        else:
            self.by_mark.setdefault(mark, set()).update(living)

    def marked(self, mark: int | None) -> Iterable[int]:
        """Return the pids that began with a spawn; nobody's where there is no mark."""
        return () if mark is None else self.by_mark.get(mark, ())


class Adopted:
    """Looks after our adopted children."""

    def __init__(self, loop: AbstractEventLoop, is_ours: Callable[[int], bool]) -> None:
        self._loop = loop
        self._is_ours = is_ours
        self._known: dict[int, tuple[Row, int | None]] = {}
        self._last = Reading(float("-inf"))
        self._cost = 0.0

    def recent(self) -> Reading:
        """Return a reading that may be a moment old."""
        age = self._loop.time() - self._last.at
        is_fresh = age < max(_KEPT, _KEPT_COSTS * self._cost)
        return self._last if is_fresh else self.read()

    def read(self) -> Reading:
        """Look at them all."""
        reading = Reading(self._loop.time())
        for top, mark in self._tops():
            if not top.is_dead:
                reading.take([top, *descendants_of([top.pid])], mark)
        self._last = reading
        self._cost = self._loop.time() - reading.at
        return reading

    def _tops(self) -> list[tuple[Row, int | None]]:
        session = os.getsid(0)
        known: dict[int, tuple[Row, int | None]] = {}
        for pid in child_pids(os.getpid()):
            row = None if self._is_ours(pid) else read_row(pid)
            if row is None or row.session == session:
                continue
            before = self._known.get(pid)
            is_same = before is not None and before[0].is_same(row)
            known[pid] = (row, before[1] if before is not None and is_same else mark_of(pid))
        self._known = known
        return list(known.values())
