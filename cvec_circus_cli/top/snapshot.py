"""The state of everything at one moment, as it is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cvec_circus_cli.top.facts import Process, Socket

_COUNTS = ("running", "wanted", "restarts")

DAEMON = "circus"
"""The group that holds the daemon's own processes."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the control endpoint says of a watcher."""

    name: str
    state: str
    running: int | None = None
    wanted: int | None = None
    restarts: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A watcher with its processes, or the daemon with its own."""

    name: str
    processes: tuple[Process, ...] = ()
    mean: float | None = None
    memory: float | None = None
    age: float | None = None
    health: Health | None = None
    history: tuple[float, ...] = ()

    @property
    def cpu(self) -> float | None:
        """The processor shares of all its processes together, in percent of one core."""
        return total(process.cpu for process in self.processes)

    @property
    def resident(self) -> float | None:
        """The resident bytes of all its processes together; shared pages count each time."""
        return total(process.resident for process in self.processes)

    @property
    def time(self) -> float | None:
        """The processor seconds of all its processes together."""
        return total(process.time for process in self.processes)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is known at one moment."""

    at: float = 0.0
    groups: tuple[Group, ...] = ()
    sockets: tuple[Socket, ...] = ()
    reads: float | None = None
    cpu_history: tuple[float, ...] = ()
    memory_history: tuple[float, ...] = ()

    @property
    def cpu(self) -> float:
        """The processor shares of everything together, in percent of one core."""
        return total(group.cpu for group in self.groups) or 0.0

    @property
    def memory(self) -> float:
        """The share of the machine's memory that everything has, in percent."""
        return total(group.memory for group in self.groups) or 0.0

    @property
    def watchers(self) -> int:
        """How many watchers there are, the daemon itself not counted."""
        return sum(group.name != DAEMON for group in self.groups)

    @property
    def processes(self) -> int:
        """How many processes there are."""
        return sum(len(group.processes) for group in self.groups)


@dataclass(frozen=True, slots=True)
class Link:
    """How it stands with the endpoint that the numbers come from."""

    endpoint: str
    silent: float | None = None
    """Seconds without a word, where that is too long; None while all is well."""


def total(values: Iterable[float | None]) -> float | None:
    """Return the sum of what is known, or None where nothing is."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) if numbers else None


def read_healths(reply: Mapping[str, Any]) -> dict[str, Health]:
    """Return how the watchers fare by the reply to ``status``, by name."""
    details = reply.get("details")
    if not isinstance(details, Mapping):
        return {}
    return {
        name: Health(name, str(health.get("state", "")), *(_count(health, key) for key in _COUNTS))
        for name, health in details.items()
        if isinstance(health, Mapping)
    }


def _count(health: Mapping[str, Any], key: str) -> int | None:
    value = health.get(key)
    return value if isinstance(value, int) else None
