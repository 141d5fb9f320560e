"""Snapshots for the tests of what is drawn."""

from __future__ import annotations

from typing import Any

from cvec_circus_cli.top.facts import Process, Socket
from cvec_circus_cli.top.snapshot import Group, Health, Link, Snapshot

ENDPOINT = "tcp://127.0.0.1:5557"
LINK = Link(ENDPOINT)


def process(watcher: str, pid: int, cpu: float | None = 0.0, **more: Any) -> Process:
    """Return a process with the numbers of its pid and what a test says."""
    usual: dict[str, Any] = {"label": "sleep", "user": "www", "memory": 0.5, "age": 60.0}
    return Process(watcher, pid, cpu=cpu, **{**usual, "resident": 2.0 * 1024**2, **more})


def group(name: str, *processes: Process, **more: Any) -> Group:
    """Return a watcher with these processes."""
    memory = sum(one.memory or 0.0 for one in processes) if processes else None
    age = max((one.age for one in processes if one.age is not None), default=None)
    return Group(name, processes, memory=memory, age=age, **more)


WEB = group(
    "web",
    process("web", 11, 9.0, wid=1, label="gunicorn"),
    process("web", 12, 80.0, wid=2, label="gunicorn", memory=1.5),
    process("web", 13, None, wid=10, label="gunicorn"),
    mean=44.5,
    health=Health("web", "active", 3, 3, 0),
    history=(1.0, 50.0, 89.0),
)
DB = group("db", process("db", 21, 30.0, wid=1, user="pg", memory=6.0, age=86400.0))
OFF = group("off", health=Health("off", "stopped", 0, 1, 7))
OWN = group("circus", process("circus", 1, 0.2, label="circusd", user="root"))
SOCKETS = (
    Socket(
        *(7, "127.0.0.1:80", "web", 30.0),
        queued=64.0,
        backlog=128.0,
        connections=5.0,
        extra={"refused": 2.0},
        history=(10.0, 30.0),
    ),
    Socket(8, "/run/x.sock", "", 90.0),
)
SNAPSHOT = Snapshot(1795249556.0, (WEB, DB, OFF, OWN), SOCKETS, 120.0, (20.0, 119.2), (8.0, 9.0))


def crowd(count: int) -> Snapshot:
    """Return one watcher with many processes, each with its number as its share."""
    some = (process("web", n, float(n), wid=n) for n in range(1, count + 1))
    return Snapshot(1.0, (group("web", *some),))
