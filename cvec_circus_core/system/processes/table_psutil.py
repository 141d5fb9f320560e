"""The process table where there is no /proc: psutil reads it."""

from __future__ import annotations

import os

import psutil

from cvec_circus_core.system.processes.row import Row


def list_pids() -> list[int]:
    """Return the numbers of all processes."""
    return psutil.pids()


def look_at(pid: int) -> Row | None:
    """Look at one process; None if there is none."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return Row(
                pid=pid,
                parent=process.ppid(),
                group=os.getpgid(pid),
                session=os.getsid(pid),
                started=process.create_time(),
                is_dead=process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD),
            )
    except (psutil.Error, OSError):
        return None
