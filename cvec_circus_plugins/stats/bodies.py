"""What is published of one sample: bodies. Pure.

A watcher stands in topics as in those of events, in lower case with underscores for blanks; its
name as it was written is in every body. Readers of the older system find their keys where they
were, and skip those that are new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

UNREADABLE = "N/A"

Body = dict[str, Any]
Extra = Mapping[str, Any]
"""Numbers of other packages about one process."""

_SUMMED = ("mem", "rss", "vms", "pss", "threads", "fds")


class Reading(Protocol):
    """What was read of one process."""

    @property
    def told(self) -> Body:
        """What does not change while the process sleeps."""

    @property
    def cpu(self) -> float | str:
        """Per cent of one processor."""

    @property
    def age(self) -> float | str:
        """Seconds."""

    @property
    def children_cpu(self) -> float:
        """Per cent of one processor, of all descendants."""

    @property
    def children_rss(self) -> int:
        """Bytes, of all descendants."""


def process_body(reading: Reading, extra: Extra | None, **more: object) -> Body:
    """Return the body of one process, but its age."""
    body = {
        **reading.told,
        "cpu": reading.cpu,
        "children": [],
        "children_cpu": reading.children_cpu,
        "children_rss": reading.children_rss,
        "subtopic": reading.told["pid"],
        "name": None,
        **more,
    }
    if extra:
        body["extra"] = extra
    return body


def group_body(readings: Sequence[Reading], sums: Body, extras: Iterable[Extra] = ()) -> Body:
    """Return the body of all processes of a watcher. ``sums`` are those of `sums_of`."""
    cpu = _numbers(reading.cpu for reading in readings)
    body: Body = {
        **sums,
        "cpu": round(sum(cpu) / len(cpu), 2) if cpu else UNREADABLE if readings else 0.0,
        "cpu_sum": round(sum(cpu), 1) if cpu or not readings else UNREADABLE,
        "age": max(_numbers(reading.age for reading in readings), default=UNREADABLE)
        if readings
        else 0.0,
        "children_cpu": round(sum(reading.children_cpu for reading in readings), 1),
        "children_rss": sum(reading.children_rss for reading in readings),
    }
    if extra := extra_sums(extras):
        body["extra"] = extra
    return body


def sums_of(bodies: Sequence[Body]) -> Body:
    """Add up what does not change while processes sleep."""
    sums: Body = {"pid": [body["pid"] for body in bodies], "processes": len(bodies)}
    for key in _SUMMED:
        if bodies and key not in bodies[0]:
            continue
        values = _numbers(body.get(key) for body in bodies)
        total = sum(values) if values or not bodies else UNREADABLE
        sums[key] = round(total, 3) if isinstance(total, float) else total
    return sums


def extra_sums(extras: Iterable[Extra]) -> dict[str, float]:
    """Add up the numbers of other packages; what is no number is not added up."""
    sums: dict[str, float] = {}
    for extra in extras:
        for key, value in extra.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                sums[key] = sums.get(key, 0) + value
    return sums


def _numbers(values: Iterable[Any]) -> list[float]:
    return [value for value in values if isinstance(value, int | float)]
