"""The daemon before what it starts, where the operator wants that. Linux only.

A thousand processes that start or end at once want all processors for a moment, and the daemon
stands in line with them. It keeps its part of that small by itself (`runtime/fair_queue.py`), which
is enough on a machine that has no other load. Where other programs keep every processor busy, its
own work, which is short, may go first in one of two ways:

* In real time (`SCHED_RR`): whenever it has something to do, it does it. The kernel keeps a
  twentieth of each processor for everybody else, whatever happens.
* By niceness, where that is not allowed. Where the kernel schedules sessions as groups (autogroup),
  niceness counts inside of a session only. A daemon that leads its session raises that, too; the
  session of somebody's shell is left alone.

`SCHED_RESET_ON_FORK` gives what we start the usual priority back, and our own threads as well. One
that holds the interpreter must not stand in line while the loop waits for it, so threads of ours
that run Python `join`: by some niceness, whatever way the loop goes. They run the code of others,
too, plugins and hooks, and one that never ends must leave something for everybody.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from enum import Enum
from pathlib import Path

log = logging.getLogger(__name__)

REALTIME_PRIORITY = 1
"""The lowest there is: it is enough to go before everybody who has none."""

_JOINED = -5
"""The niceness of threads that join: three turns for one of somebody else."""

_SELF = Path("/proc/self")


class Way(Enum):
    """How a process goes before others."""

    NOT = "as everybody does"
    REALTIME = "in real time"
    NICE = "by niceness"


class DaemonPriority:
    """How this process goes before others; nothing changes until it is asked to."""

    def __init__(self) -> None:
        self.way = Way.NOT
        self._niceness = 0

    def take(self, niceness: int, *, realtime: bool) -> Way:
        """Let the calling thread go first, and all that join; tell how.

        What somebody has chosen for us already stays as it is.
        """
        ways = [Way.REALTIME] * realtime + [Way.NICE] * (niceness < 0)
        if not ways or not hasattr(os, "SCHED_RESET_ON_FORK"):
            return self.way
        if os.getpriority(os.PRIO_PROCESS, 0) != 0 or os.sched_getscheduler(0) != os.SCHED_OTHER:
            return self.way
        self._niceness = niceness
        for way in ways:
            try:
                self._let_go_first(way)
            except OSError as error:
                log.debug("not %s: %s", way.value, error)
            else:
                self.way = way
                break
        if self.way is not Way.NOT and os.getsid(0) == os.getpid():
            for_all = niceness if self.way is Way.NICE else self._niceness_of_joined()
            with suppress(OSError):
                (_SELF / "autogroup").write_text(str(for_all), encoding="ascii")
        return self.way

    def join(self) -> None:
        """Let the calling thread, which runs Python, go before others by niceness."""
        if self.way is not Way.NOT:
            with suppress(OSError):
                _be_nice(self._niceness_of_joined())

    def spread(self) -> None:
        """Let threads join that know nothing of us, so far as that may be done to others."""
        if self.way is Way.NICE:
            with suppress(OSError):
                for thread in os.listdir(_SELF / "task"):
                    os.setpriority(os.PRIO_PROCESS, int(thread), self._niceness)

    def _let_go_first(self, way: Way) -> None:
        if way is Way.REALTIME:
            _schedule(os.SCHED_RR, REALTIME_PRIORITY)
        else:
            _be_nice(self._niceness)

    def _niceness_of_joined(self) -> int:
        return _JOINED if self.way is Way.REALTIME else max(self._niceness, _JOINED)


def _be_nice(niceness: int) -> None:
    _schedule(os.SCHED_OTHER, 0)
    os.setpriority(os.PRIO_PROCESS, 0, niceness)


def _schedule(policy: int, priority: int) -> None:
    os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, os.sched_param(priority))


precedence = DaemonPriority()
"""It belongs to the process, so there is one of these."""
