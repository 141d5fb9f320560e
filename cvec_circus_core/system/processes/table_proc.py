"""The process table as Linux shows it: one small file per process."""

from __future__ import annotations

import os

from cvec_circus_core.system.processes.row import Row


def list_pids() -> list[int]:
    """Return the numbers of all processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def look_at(pid: int) -> Row | None:
    """Look at one process; None if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            text = file.read(2048)
    except OSError:
        return None
    # The name in brackets may hold anything, brackets too: what counts is behind the last one.
    words = text[text.rindex(b")") + 2 :].split()
    return Row(
        pid=pid,
        parent=int(words[1]),
        group=int(words[2]),
        session=int(words[3]),
        started=float(words[19]),
        is_dead=words[0] in (b"Z", b"X"),
    )
