"""What the statistics stream says, as types: one body in, one fact out.

A body is JSON that another program made, perhaps an older or a newer one. What is missing or "N/A"
becomes None; what is not known is kept as an extra number, so that what a plugin adds to the
statistics is shown without anybody having to know of it here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

Extra = Mapping[str, float | str]

_SIZES = {"B": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "P": 1024**5}
_SIZE = re.compile(r"([\d.]+)\s*([BKMGTP]?)B?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Process:
    """What one process uses."""

    watcher: str
    pid: int
    label: str
    wid: int | None = None
    user: str = ""
    state: str = ""
    nice: int | None = None
    threads: int | None = None
    files: int | None = None
    cpu: float | None = None
    memory: float | None = None
    resident: float | None = None
    virtual: float | None = None
    pss: float | None = None
    """Resident bytes, where shared ones count in parts."""
    below_cpu: float | None = None
    """What all that descends from it uses."""
    below_resident: float | None = None
    age: float | None = None
    time: float | None = None
    extra: Extra = field(default_factory=dict)
    children: tuple[Process, ...] = ()
    history: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Socket:
    """What happens at one socket."""

    fd: int
    address: str
    name: str = ""
    reads: float | None = None
    """New connections since the last sample, as far as they were seen."""
    queued: float | None = None
    """Connections that wait to be accepted."""
    backlog: float | None = None
    """How many may wait."""
    connections: float | None = None
    extra: Extra = field(default_factory=dict)
    history: tuple[float, ...] = ()


_PROCESS_KEYS = {
    *("pid", "wid", "cmdline", "username", "nice", "cpu", "mem", "mem_info1", "mem_info2"),
    *("ctime", "children", "create_time", "age", "started", "status", "subtopic", "name"),
    *("num_threads", "threads", "num_fds", "fds", "state", "rss", "vms", "watcher", "process_id"),
    *("time", "seq", "cpu_time", "pss", "children_cpu", "children_rss"),
}
_SOCKET_KEYS = {
    *("fd", "subtopic", "address", "reads", "name", "watcher", "time", "seq"),
    *("queued", "backlog", "connections"),
}


def read_process(
    watcher: str, body: Mapping[str, Any], history: tuple[float, ...] = ()
) -> Process | None:
    """Return what a body tells of a process, or None where it tells of none."""
    pid = whole(body.get("pid"))
    if pid is None:
        return None
    command = words(body.get("cmdline"))
    return Process(
        watcher,
        pid,
        words(body.get("name")) or command or str(pid),
        wid=whole(_first(body, "wid", "process_id")),
        user=words(body.get("username")),
        state=words(_first(body, "state", "status")),
        nice=whole(body.get("nice")),
        threads=whole(_first(body, "threads", "num_threads")),
        files=whole(_first(body, "fds", "num_fds")),
        cpu=number(body.get("cpu")),
        memory=number(body.get("mem")),
        resident=size(_first(body, "rss", "mem_info1")),
        virtual=size(_first(body, "vms", "mem_info2")),
        pss=size(body.get("pss")),
        below_cpu=number(body.get("children_cpu")),
        below_resident=size(body.get("children_rss")),
        age=number(body.get("age")),
        time=seconds(_first(body, "cpu_time", "ctime")),
        extra=extra(body, _PROCESS_KEYS),
        children=_children(watcher, body.get("children")),
        history=history,
    )


def read_socket(body: Mapping[str, Any]) -> Socket | None:
    """Return what a body tells of a socket, or None where it tells of none."""
    fd = whole(body.get("fd"))
    if fd is None:
        return None
    return Socket(
        fd,
        words(body.get("address")),
        words(body.get("name")),
        number(body.get("reads")),
        number(body.get("queued")),
        number(body.get("backlog")),
        number(body.get("connections")),
        extra(body, _SOCKET_KEYS),
    )


def number(value: object) -> float | None:
    """Return a number, or None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) else None


def whole(value: object) -> int | None:
    """Return a whole number, also one that stands as text, or None."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def words(value: object) -> str:
    """Return a text that says something, or an empty one."""
    return value if isinstance(value, str) and value != "N/A" else ""


def size(value: object) -> float | None:
    """Return bytes from a number, or from a text such as 1.40M, or None."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return number(value)
    try:
        return float(match[1]) * _SIZES[match[2].upper() or "B"]
    except ValueError:
        return None


def seconds(value: object) -> float | None:
    """Return seconds from a number, or from a text such as 1:02.50, or None."""
    if not isinstance(value, str):
        return number(value)
    total = 0.0
    for part in value.split(":"):
        try:
            total = total * 60 + float(part)
        except ValueError:
            return None
    return total


def extra(body: Mapping[str, Any], own_keys: set[str]) -> Extra:
    """Return what a body tells beside our own keys: numbers and short texts, one level deep."""
    extras: dict[str, float | str] = {}
    for key, value in body.items():
        if key in own_keys:
            continue
        for name, member in value.items() if isinstance(value, Mapping) else [(key, value)]:
            if isinstance(member, bool):
                extras[str(name)] = "yes" if member else "no"
            elif (readable := words(member) or number(member)) is not None:
                extras[str(name)] = readable
    return extras


def _first(body: Mapping[str, Any], *keys: str) -> object:
    return next((body[key] for key in keys if body.get(key) not in (None, "N/A")), None)


def _children(watcher: str, bodies: object) -> tuple[Process, ...]:
    if not isinstance(bodies, list):
        return ()
    processes = (read_process(watcher, body) for body in bodies if isinstance(body, Mapping))
    return tuple(process for process in processes if process is not None)
