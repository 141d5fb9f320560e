"""What is published of one sample: topics and bodies. Pure.

Topics are told without their ``stat.``. A watcher stands in them as in events, in lower case with
underscores for blanks; its name as it was written is in every body. Readers of the older system
find their keys where they were, and skip those that are new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cvec_circus_core.api import topic_name

UNREADABLE = "N/A"
DAEMONS = "circus"
"""The group of the daemon's own processes."""

Body = dict[str, Any]
Published = tuple[str, Body]
"""A topic and its body."""


def of_watcher(
    watcher: str,
    wids: Mapping[int, int],
    infos: Mapping[int, Any],
    extras: Mapping[int, Mapping[str, Any]],
) -> Iterator[Published]:
    """Yield what is published of one watcher; ``wids`` are the numbers of its processes by pid."""
    topic = topic_name(watcher)
    living: list[Body] = []
    for pid, wid in wids.items():
        info = infos.get(pid)
        if not isinstance(info, dict):
            continue  # It has gone, which an event tells.
        body = {**info, "children": [], "subtopic": pid, "name": None}
        body["watcher"], body["wid"] = watcher, wid
        if pid in extras:
            body["extra"] = extras[pid]
        living.append(body)
        yield f"{topic}.{pid}", body
    yield topic, {**sums(living), "watcher": watcher}


def of_daemons(roles: Mapping[int, str], infos: Mapping[int, Any]) -> Iterator[Published]:
    """Yield what is published of the daemon and its own processes, by pid and role."""
    living: list[Body] = []
    for pid, role in roles.items():
        info = infos.get(pid)
        if isinstance(info, dict):
            living.append({**info, "children": [], "subtopic": pid, "name": role})
            yield f"{DAEMONS}.{pid}", living[-1]
    yield DAEMONS, sums(living)


def sums(infos: Iterable[Mapping[str, Any]]) -> Body:
    """Return the sums and averages of some processes."""
    some = list(infos)
    cpu, mem = _column(some, "cpu"), _column(some, "mem")
    total = sum(cpu) if cpu is not None else UNREADABLE
    body: Body = {
        "pid": [one["pid"] for one in some],
        "cpu": UNREADABLE if cpu is None else round(sum(cpu) / len(cpu), 2) if cpu else 0.0,
        "cpu_sum": total if isinstance(total, str) else round(total, 1),
        "mem": UNREADABLE if mem is None else round(sum(mem), 3),
        "age": max(_column(some, "age") or [0.0]) if some else 0.0,
        "processes": len(some),
    }
    for key in ("rss", "vms", "pss", "threads", "fds", "children_cpu", "children_rss"):
        if some and key not in some[0]:
            continue
        column = _column(some, key)
        body[key] = UNREADABLE if column is None else round(sum(column), 1) if column else 0
    if extra := extra_sums(one.get("extra", {}) for one in some):
        body["extra"] = extra
    return body


def extra_sums(extras: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Add up the numbers of other packages; what is no number is not added up."""
    found: dict[str, float] = {}
    for one in extras:
        for key, value in one.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[key] = found.get(key, 0) + value
    return found


def _column(infos: Iterable[Mapping[str, Any]], key: str) -> list[float] | None:
    """Return the numbers that could be read; None where there are processes and no number."""
    values = [one.get(key) for one in infos]
    known = [value for value in values if isinstance(value, int | float)]
    return None if values and not known else known
