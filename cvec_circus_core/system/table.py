"""The process table: who descends from whom.

On Linux it is read from /proc, one small file per process, and the direct children of a process
from ``task/*/children`` where the kernel has that. Elsewhere psutil answers.

A number alone does not name a process, because numbers are used again: `Row.is_same` compares the
start time too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

_HAS_PROC = sys.platform.startswith("linux")


@dataclass(frozen=True, slots=True)
class Row:
    """One process as it was when looked at; ``started`` is in some unit of the system."""

    pid: int
    parent: int
    group: int
    session: int
    started: float
    is_dead: bool = False

    def is_same(self, other: Row | None) -> bool:
        """Tell whether both are the same process, and not two that had the same number."""
        return other is not None and (self.pid, self.started) == (other.pid, other.started)


def read_row(pid: int) -> Row | None:
    """Look at one process; None if there is none."""
    return _read_proc(pid) if _HAS_PROC else _read_psutil(pid)


def read_table() -> dict[int, Row]:
    """Look at all processes."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit()) if _HAS_PROC else None
    rows = (read_row(pid) for pid in (psutil.pids() if pids is None else pids))
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
    found: dict[int, Row] = {}
    ahead = list(pids)
    start = frozenset(ahead)
    while ahead:
        for row in children_of(ahead.pop()):
            if row.pid not in found and row.pid not in start:
                found[row.pid] = row
                ahead.append(row.pid)
    return list(found.values())


def descendants_in(table: Mapping[int, Row], pids: Iterable[int]) -> list[Row]:
    """Return all that descends from some processes in a table, themselves left out."""
    children: dict[int, list[Row]] = {}
    for row in table.values():
        children.setdefault(row.parent, []).append(row)
    found: dict[int, Row] = {}
    ahead = list(pids)
    start = frozenset(ahead)
    while ahead:
        for row in children.get(ahead.pop(), ()):
            if row.pid not in found and row.pid not in start:
                found[row.pid] = row
                ahead.append(row.pid)
    return list(found.values())


def _read_proc(pid: int) -> Row | None:
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


def _read_psutil(pid: int) -> Row | None:
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


def _children_from_files(pid: int) -> list[int]:
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
                found.extend(int(word) for word in file.readall().split())
        except OSError:
            continue
    return found


def _has_children_files() -> bool:
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")


_HAS_CHILDREN_FILES = _HAS_PROC and _has_children_files()
