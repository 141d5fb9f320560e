"""When processes of ours were started, as the process table tells it (Linux: in ticks since boot).

Reading the table is an eighth of what a start costs the daemon. But the kernel takes the moment
from a clock that we have, too: where a process was started and it is the same tick still, the table
can say nothing else. That it does so on this machine is seen at the first process, and not taken
for granted.
"""

from __future__ import annotations

import os
import sys

from cvec_circus_core.system.clock import boot_nanoseconds
from cvec_circus_core.system.processes.process_table import read_row

_HAS_TICKS = sys.platform.startswith("linux")
_TICK = 10**9 // os.sysconf("SC_CLK_TCK")
"""Nanoseconds."""


class StartTimes:
    """Tells them for one process after another."""

    def __init__(self) -> None:
        self._before: int | None = None
        self._is_clock_right: bool | None = None
        """Whether the clock says what the table says; None until both were asked."""

    def expect(self) -> None:
        """Learn that a process is about to be started."""
        self._before = boot_nanoseconds() // _TICK if _HAS_TICKS else None

    def of(self, pid: int) -> float | None:
        """Return when the process that was expected has started; None if there is none any more."""
        tick, self._before = self._before, None
        is_certain = tick is not None and tick == boot_nanoseconds() // _TICK
        if tick is not None and is_certain and self._is_clock_right:
            return float(tick)
        row = read_row(pid)
        if row is None:
            return None
        if is_certain and self._is_clock_right is None:
            self._is_clock_right = row.started == tick
        return row.started
