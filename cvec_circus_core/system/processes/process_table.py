"""The process table: who descends from whom.

On Linux it is read from /proc, one small file per process, and the direct children of a process
from ``task/*/children`` where the kernel has that. Elsewhere psutil answers.

A number alone does not name a process, because numbers are used again: `Row.is_same` compares the
start time too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from cvec_circus_core.system.proc import HAS_PROC, list_threads, read_or_none
from cvec_circus_core.system.processes.row import Row

# psutil takes a megabyte of the daemon: it is imported only where it is needed.
if HAS_PROC:
    from cvec_circus_core.system.processes.table_proc import list_pids, look_at
else:
    from cvec_circus_core.system.processes.table_psutil import list_pids, look_at

__all__ = [
    "Row",
    "child_pids",
    "children_of",
    "descendants_in",
    "descendants_of",
    "read_row",
    "read_table",
]


def read_row(pid: int) -> Row | None:
    """Look at one process; None if there is none."""
    return look_at(pid)


def read_table() -> dict[int, Row]:
    """Look at all processes."""
    rows = (look_at(pid) for pid in list_pids())
    return {row.pid: row for row in rows if row is not None}


def child_pids(pid: int) -> list[int]:
    """Return the numbers of the direct children of a process, living and dead."""
    if _HAS_CHILDREN_FILES:
        return _children_from_files(pid)
    return [row.pid for row in read_table().values() if row.parent == pid]


def children_of(pid: int) -> list[Row]:
    """Look at the direct children of a process."""
    rows = (read_row(child) for child in child_pids(pid))
    return [row for row in rows if row is not None and row.parent == pid]


def descendants_of(pids: Iterable[int]) -> list[Row]:
    """Look at all that descends from some processes, themselves left out."""
    if not _HAS_CHILDREN_FILES:
        return descendants_in(read_table(), pids)
    below: dict[int, Row] = {}
    ahead = list(pids)
    start = frozenset(ahead)
    while ahead:
        for row in children_of(ahead.pop()):
            if row.pid not in below and row.pid not in start:
                below[row.pid] = row
                ahead.append(row.pid)
    return list(below.values())


def descendants_in(table: Mapping[int, Row], pids: Iterable[int]) -> list[Row]:
    """Return all that descends from some processes in a table, themselves left out."""
    children: dict[int, list[Row]] = {}
    for row in table.values():
        children.setdefault(row.parent, []).append(row)
    below: dict[int, Row] = {}
    ahead = list(pids)
    start = frozenset(ahead)
    while ahead:
        for row in children.get(ahead.pop(), ()):
            if row.pid not in below and row.pid not in start:
                below[row.pid] = row
                ahead.append(row.pid)
    return list(below.values())


def _children_from_files(pid: int) -> list[int]:
    files = (read_or_none(pid, f"task/{thread}/children", None) for thread in list_threads(pid))
    return [int(word) for file in files if file is not None for word in file.split()]


def _has_children_files() -> bool:
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")


_HAS_CHILDREN_FILES = HAS_PROC and _has_children_files()
