"""What still lives of daemons that were killed: processes that were spawned by one, and nobody has.

Spawn tags (`spawn_tags.py`) tell that a process began with a spawn. While its daemon lives, it is a
child of the daemon, which takes in orphans, too; once the daemon is dead, it is given to the next
process above that takes orphans, in the end to process 1. That one is above us as well, so we look
at the children of those whose descendant we are. A daemon above us has children with tags, too, and
they are not abandoned: our own tag, or that of somebody above us, names it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from cvec_circus_core.system.proc import HAS_PROC, read_or_none
from cvec_circus_core.system.processes.process_table import child_pids, read_row
from cvec_circus_core.system.processes.spawn_tags import daemon_of, tag_of

_LIMIT = 0.3
"""Seconds that looking may take."""
_DEEPEST = 64


class Abandoned(NamedTuple):
    """One process that is left of another daemon."""

    pid: int
    words: tuple[str, ...]
    """Its command line."""


def is_abandoned(pid: int) -> bool:
    """Tell whether a process, or one that it descends from, is left of a daemon that is dead."""
    tag = tag_of(pid) if HAS_PROC else None
    row = None if tag is None else read_row(pid)
    if tag is None or row is None:
        return False
    daemon, above = daemon_of(tag), pids_above()
    if daemon in _living(above):
        return False
    for _ in range(_DEEPEST):
        parent_tag = tag_of(row.parent)
        parent = read_row(row.parent)
        if parent_tag is None or daemon_of(parent_tag) != daemon or parent is None:
            break
        row = parent
    return row.parent in above


def find_abandoned(taken_over: Iterable[int] = (), limit: float = _LIMIT) -> list[Abandoned]:
    """Return the processes that no daemon has any more; what was found when the time is over.

    Those that we have ``taken_over`` belong to us, and so do all of the same daemon. Those that are
    not ours to end are none of our business.
    """
    if not HAS_PROC:
        return []
    end_at = time.monotonic() + limit
    above = pids_above()
    living = _living((*above, *taken_over))
    abandoned: list[Abandoned] = []
    for parent in above:
        for pid in child_pids(parent):
            if time.monotonic() > end_at:
                return abandoned
            tag = None if pid in above else tag_of(pid)
            if tag is None or daemon_of(tag) in living:
                continue
            row = read_row(pid)
            is_orphan = row is not None and not row.is_dead and row.parent == parent
            if is_orphan and _may_signal(pid):
                abandoned.append(Abandoned(pid, _words(pid)))
    return abandoned


def _living(above: Iterable[int]) -> set[int]:
    """Return what the tags of each living daemon have in common: of ours, and those above us."""
    return {daemon_of(tag) for pid in (os.getpid(), *above) if (tag := tag_of(pid)) is not None}


def pids_above() -> list[int]:
    """Return the pids of those whose descendant we are, the nearest first."""
    pids: list[int] = []
    row = read_row(os.getpid())
    while row is not None and row.parent > 0 and len(pids) < _DEEPEST:
        pids.append(row.parent)
        row = read_row(row.parent)
    if pids and pids[-1] != 1:
        pids.append(1)
    return pids


def _may_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _words(pid: int) -> tuple[str, ...]:
    line = read_or_none(pid, "cmdline") or b""
    return tuple(os.fsdecode(word) for word in line.removesuffix(b"\0").split(b"\0"))
