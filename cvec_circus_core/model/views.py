"""Frozen pictures of what is so, for readers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from cvec_circus_core.model.values import Struct


class WatcherStatus(Enum):
    """The state words of a watcher (spec: watchers, states)."""

    STOPPED = "stopped"
    STARTING = "starting"
    ACTIVE = "active"
    STOPPING = "stopping"


class ProcessView(Struct, frozen=True):
    """One process that is there."""

    wid: int
    pid: int
    started_at: float
    """Monotonic seconds."""
    stopping: bool
    ready: bool = True
    status: str | None = None
    """What it says of itself on its notify socket."""


class RuntimeChange(Struct, frozen=True):
    """What was changed of a watcher at run time, and is in no file."""

    watcher: str
    options: Mapping[str, Any]
    """The options that differ, as JSON values, by the names that a file gives them."""
    is_new: bool = False


class StatsSubject(Struct, frozen=True):
    """One process of which somebody may know more numbers than the process table has."""

    watcher: str
    """The watcher's name as it was written."""
    wid: int
    pid: int


WAITS_FOR_CONNECTION = "waits for a connection"
"""The reason of a watcher that is down and starts with the first client: nothing is wrong."""


class Health(Struct, frozen=True):
    """What the state word does not say: how the watcher fares."""

    running: int
    wanted: int
    restarts: int
    """Processes that were replaced because they had died by themselves."""
    last_exit: int | None
    reason: str | None
    """Why it stopped by itself, or why it has fewer processes than wanted."""
    retry_in: float | None
    """Seconds until the next try, where one is waited for."""
    last_death: int | None = None
    """How the last process ended that nobody had asked to."""
    completed: bool = False
    """Whether it has stopped because all its processes have come to a normal end."""


class WatcherView(Struct, frozen=True):
    """One watcher, as it is at one moment."""

    name: str
    status: WatcherStatus
    health: Health
    processes: tuple[ProcessView, ...]


class OutputView(Struct, frozen=True):
    """The last output of one process on one channel, ``stdout`` or ``stderr``."""

    wid: int
    pid: int
    channel: str
    data: bytes
    end: int
    """How many bytes the process had written there; ``data`` ends at this byte."""
    ended: bool
    """Whether the process has gone."""


class OutputLine(Struct, frozen=True):
    """A line that a process has written; the last one of a process may have no end yet."""

    wid: int
    pid: int
    channel: str
    time: float
    """When it began to come, as Unix time."""
    data: bytes
    ended: bool
    """Whether the process has gone."""


class OutputQuery(Struct, frozen=True):
    """Which of the last lines of a watcher are wanted."""

    channels: tuple[str, ...] = ("stdout", "stderr")
    lines: int = 10
    """How many of each slot, also of processes that have ended, at most."""
    wid: int | None = None
    pid: int | None = None
    """The process whose lines are wanted, and which has ended."""
    since: float | None = None
    """The Unix time before which no line is wanted."""
    text: str = ""
    """What a line must contain."""


class SocketView(Struct, frozen=True):
    """One managed socket: a host and a port, or a path."""

    name: str
    fd: int
    backlog: int
    host: str | None
    port: int | None
    path: str | None


class PluginView(Struct, frozen=True):
    """One plugin, as it is at one moment."""

    name: str
    use: str
    host: str
    """``thread`` or ``process``."""
    state: str
    reason: str | None = None
    """What it failed of."""
