"""The process table as Linux shows it: one small file per process."""

from __future__ import annotations

from cvec_circus_core.system.proc import list_pids, read_stat
from cvec_circus_core.system.processes.row import Row

__all__ = ["list_pids", "look_at"]

_DEAD = (b"Z", b"X")


def look_at(pid: int) -> Row | None:
    """Look at one process; None if there is none."""
    stat = read_stat(pid)
    if stat is None:
        return None
    words = stat.words
    return Row(
        pid=pid,
        parent=int(words[1]),
        group=int(words[2]),
        session=int(words[3]),
        started=float(words[19]),
        is_dead=stat.state in _DEAD,
    )
