"""The daemon before those that it starts: a supervisor has to answer when nobody else gets a turn.

A thousand processes that end at once want both processors for a moment, and the daemon would stand
in line with them: answers then came up to a tenth of a second late. Its own work is short, so it
may go first. Linux only.

* `SCHED_RESET_ON_FORK` gives what we start the usual niceness back.
* Where the kernel schedules sessions as groups (autogroup), niceness counts inside of a session
  only. A daemon that leads its session raises that, too; the session of somebody's shell is left
  alone.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

_SELF = Path("/proc/self")


def go_first(niceness: int) -> bool:
    """Give all threads of this process a niceness below 0; tell whether that was possible.

    What somebody has chosen for us already stays as it is.
    """
    if niceness >= 0 or not hasattr(os, "SCHED_RESET_ON_FORK"):
        return False
    if os.getpriority(os.PRIO_PROCESS, 0) != 0 or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    try:
        policy = os.SCHED_OTHER | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(0))
        for thread in os.listdir(_SELF / "task"):
            os.setpriority(os.PRIO_PROCESS, int(thread), niceness)
    except OSError as error:
        log.debug("niceness stays as it is: %s", error)
        return False
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            (_SELF / "autogroup").write_text(str(niceness), encoding="ascii")
    return True
