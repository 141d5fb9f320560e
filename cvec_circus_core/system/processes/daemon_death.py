"""A helper of the daemon ends with it, however the daemon ends.

The kernel is asked for it (PR_SET_PDEATHSIG), which works whatever the helper is doing. Where the
daemon is not our parent, as under a shell, a thread waits for its end instead.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable

from cvec_circus_core.system.prctl import set_death_signal
from cvec_circus_core.system.proc import GONE


def end_with_daemon(pid: int, on_end: Callable[[], None]) -> bool:
    """Have this process killed when the daemon dies; return False where it is dead already.

    ``on_end`` is called before, where there is time for that.
    """
    if os.getppid() == pid and set_death_signal(signal.SIGKILL):
        # It may have died before the kernel was asked.
        return os.getppid() == pid
    try:
        descriptor = os.pidfd_open(pid)
    except (OSError, AttributeError) as error:
        # If it is not gone, this system can not tell.
        return getattr(error, "errno", None) not in GONE
    threading.Thread(
        target=_wait_for_end, args=(descriptor, on_end), name="end with the daemon", daemon=True
    ).start()
    return True


def _wait_for_end(descriptor: int, on_end: Callable[[], None]) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()
    try:
        on_end()
    finally:
        os.kill(os.getpid(), signal.SIGKILL)
