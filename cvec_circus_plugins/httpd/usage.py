"""What the daemon's statistics tell, by watcher: the last numbers, and those of the last moments.

A sample of two thousand processes is as many messages. Only sums are decoded, and what a page that
is open shows; the others cost a look at their topic.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus_core.api import topic_name

POINTS = 60
"""Samples that are kept of each watcher, for its curve."""

Numbers = dict[str, Any]

_PREFIX = b"stat."
_OF_SOCKETS = b"stat.sockets."
_SUMS = ("cpu_sum", "rss", "processes", "threads", "fds", "age")
_OF_A_SOCKET = (
    "fd",
    "name",
    "address",
    "backlog",
    "queued",
    "connections",
    "reads",
    "queued_bytes",
)
_OF_A_PROCESS = (
    *("pid", "wid", "cpu", "mem", "rss", "age", "threads", "fds", "state", "cmdline", "username"),
    *("children_cpu", "children_rss"),
)


class UsageTable:
    """The numbers of one daemon's watchers."""

    def __init__(self) -> None:
        self.sums: dict[str, Numbers] = {}
        """The last sums, by watcher."""
        self.sockets: dict[str, Numbers] = {}
        """The last numbers of the managed sockets, by descriptor."""
        self.detailed: frozenset[str] = frozenset()
        """Watchers of which each process is wanted."""
        self._names: dict[bytes, str] = {}
        self._curves: dict[str, deque[tuple[float, float]]] = {}

    def follow(self, watchers: Iterable[str]) -> None:
        """Learn which watchers there are, and forget those that have gone."""
        self._names = {_PREFIX + topic_name(name).encode(): name for name in watchers}
        names = set(self._names.values())
        self.sums = {name: numbers for name, numbers in self.sums.items() if name in names}
        self._curves = {name: curve for name, curve in self._curves.items() if name in names}

    def history(self) -> Mapping[str, list[tuple[float, float]]]:
        """Return the curve of each watcher: pairs of processor share and memory."""
        return {name: list(curve) for name, curve in self._curves.items()}

    def take(self, topic: bytes, body: bytes) -> tuple[str, dict[str, Numbers]] | None:
        """Take a statistic; return its kind and what it changes, if anybody wants that."""
        name = self._names.get(topic)
        if name is not None:
            numbers = _chosen(body, _SUMS)
            self.sums[name] = numbers
            curve = self._curves.setdefault(name, deque(maxlen=POINTS))
            curve.append((_number(numbers.get("cpu_sum")), _number(numbers.get("rss"))))
            return "usage", {name: numbers}
        if topic.startswith(_OF_SOCKETS):
            numbers = _chosen(body, _OF_A_SOCKET)
            self.sockets[str(numbers.get("fd"))] = numbers
            return "sockets", {str(numbers.get("fd")): numbers}
        if not self.detailed:
            return None
        name = self._names.get(topic.rpartition(b".")[0])
        if name not in self.detailed:
            return None
        numbers = _chosen(body, _OF_A_PROCESS)
        return "processes", {str(numbers.get("pid")): {**numbers, "watcher": name}}


def _chosen(body: bytes, keys: Iterable[str]) -> Numbers:
    numbers = json.loads(body)
    return {key: numbers[key] for key in keys if key in numbers}


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0
