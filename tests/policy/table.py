"""Words for tables: a watcher in some phase, what is said to it, and what it answers.

Processes get pid 100 + wid when nobody says otherwise, so rows can be read without counting.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cvec_circus_core.model import events
from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.outcome import Done, Failed
from cvec_circus_core.model.readiness import SPAWNED
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.watcher.effects import Effect, Emit, Reach, Settle, Signal, Spawn
from cvec_circus_core.policy.watcher.inputs import Exited, Go, Input, Spawned, TicketId, Wish
from cvec_circus_core.policy.watcher.machine import step
from cvec_circus_core.policy.watcher.state import WatcherState

NAME = "web"
STARTED = Emit(events.WatcherStarted(NAME))
RELOADED = Emit(events.WatcherReloaded(NAME))
USUAL: dict[str, Any] = {"name": NAME, "cmd": "web", "ready": SPAWNED, "settle": 0.0}
START, STOP, RESTART = Wish(Go.START), Wish(Go.STOP), Wish(Go.RESTART)


class Watcher:
    """A machine with a clock in its hand."""

    def __init__(self, **options: Any) -> None:
        self.state = WatcherState(WatcherSpec(**{**USUAL, **options}))

    def hears(self, *said: Input, at: float = 0.0) -> list[Effect]:
        """Step with one batch of inputs."""
        return step(self.state, said, at)

    @property
    def pids(self) -> list[int]:
        """Processes that are there."""
        return sorted(self.state.slots.by_pid)


def active(at: float = 0.0, **options: Any) -> Watcher:
    """Return a watcher whose processes are all running since a moment."""
    watcher = Watcher(**options)
    watcher.hears(START, at=at)
    while watcher.state.slots.spawning:
        watcher.hears(*(come(wid) for wid in tuple(watcher.state.slots.spawning)), at=at)
    assert watcher.state.status.value == "active"
    return watcher


def come(wid: int, pid: int | None = None, chance: float = 0.0) -> Spawned:
    """Say that a process has come."""
    return Spawned(wid, 100 + wid if pid is None else pid, chance)


def end(wid: int, code: int | None = 0, *, pid: int | None = None, left: bool = False) -> Exited:
    """Say that a process has ended."""
    return Exited(100 + wid if pid is None else pid, code, left)


def ticket(number: int = 1) -> TicketId:
    """Name a ticket."""
    return TicketId(number)


def spawns(wids: Iterable[int]) -> list[Effect]:
    """Ask for processes."""
    return [Spawn(wid) for wid in wids]


def told_spawn(wid: int, pid: int | None = None) -> Effect:
    """Tell of a new process."""
    return Emit(events.ProcessSpawned(NAME, wid, 100 + wid if pid is None else pid))


def told_reap(
    wid: int,
    code: int | None = 0,
    reason: ExitReason = ExitReason.EXITED,
    *,
    pid: int | None = None,
) -> Effect:
    """Tell of an ended process."""
    return Emit(events.ProcessReaped(NAME, wid, 100 + wid if pid is None else pid, code, reason))


def signalled(
    wid: int, signum: int = 15, reach: Reach = Reach.PROCESS, *, pid: int | None = None
) -> list[Effect]:
    """Signal one process and tell of it."""
    pid = 100 + wid if pid is None else pid
    asks = signum != 9
    return [Signal(pid, signum, reach, asks), Emit(events.ProcessSignalled(NAME, wid, pid, signum))]


def killed(wid: int, *, pid: int | None = None) -> list[Effect]:
    """Kill one process and its tree, and tell of it."""
    return signalled(wid, 9, Reach.TREE, pid=pid)


def asked(*wids: int) -> list[Effect]:
    """Ask processes to go, one after another."""
    return [effect for wid in wids for effect in signalled(wid)]


def told_stop(reason: str | None = None) -> Effect:
    """Tell that the watcher has stopped."""
    return Emit(events.WatcherStopped(NAME, reason))


def told_end(reason: str) -> Effect:
    """Tell that the watcher has stopped because it could not do what was wanted."""
    return Emit(events.WatcherStopped(NAME, reason, gave_up=True))


def told_failure(wid: int, reason: str, retry_in: float | None) -> Effect:
    """Tell that a process could not be started."""
    return Emit(events.ProcessSpawnFailed(NAME, wid, reason, retry_in))


def kept(
    number: int = 1,
    *,
    stopped: tuple[int, ...] = (),
    started: tuple[int, ...] = (),
    there: tuple[int, ...] = (),
    numprocesses: int = 1,
) -> Effect:
    """Keep a promise."""
    return Settle(TicketId(number), Done(stopped, started, there, numprocesses))


def broken(effects: list[Effect]) -> dict[int, CircusError]:
    """Return the errors of all promises that were broken, by ticket."""
    return {
        effect.ticket: effect.outcome.error
        for effect in effects
        if isinstance(effect, Settle) and isinstance(effect.outcome, Failed)
    }
