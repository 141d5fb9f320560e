"""Stopping processes that are nobody's children any more, by the sessions that they lead."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress


def stop_sessions(pids: Iterable[int], grace: float) -> int:
    """Stop processes with their groups, and wait for it; return how many there were.

    Each gets SIGTERM, and SIGKILL after so many seconds. A pid that leads no session is another's.
    """
    pidfds = {}
    for pid in pids:
        with suppress(OSError):
            pidfd = os.pidfd_open(pid)
            if os.getsid(pid) == pid:
                pidfds[pid] = pidfd
            else:
                os.close(pidfd)
    count = len(pidfds)
    _signal_groups(pidfds, signal.SIGTERM)
    _await(pidfds, grace)
    _signal_groups(pidfds, signal.SIGKILL)
    _await(pidfds, grace)
    for pidfd in pidfds.values():
        os.close(pidfd)
    return count


def wait_or_kill(pid: int, grace: float) -> None:
    """Wait until a process has ended, which is killed if that takes too long."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return
    pidfds = {pid: pidfd}
    _await(pidfds, grace)
    if pidfds:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        _await(pidfds, grace)
    for remaining in pidfds.values():
        os.close(remaining)


def _signal_groups(pids: Iterable[int], signum: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signum)


def _await(pidfds: dict[int, int], seconds: float) -> None:
    """Wait for the ends, for so long at most, and forget who has ended."""
    ends_at = time.monotonic() + seconds
    while pidfds and (left := ends_at - time.monotonic()) > 0:
        poll = select.poll()
        pids = {pidfd: pid for pid, pidfd in pidfds.items()}
        for pidfd in pids:
            poll.register(pidfd, select.POLLIN)
        for pidfd, _ in poll.poll(left * 1000):
            os.close(pidfd)
            del pidfds[pids[pidfd]]
