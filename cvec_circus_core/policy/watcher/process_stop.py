"""How a process is asked to go, and killed when it stays."""

from __future__ import annotations

from collections.abc import Iterator

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.policy.watcher.effects import Effect, Emit, Reach, Signal
from cvec_circus_core.policy.watcher.state import AlarmKind, Phase, Slot, WatcherState

_SIGKILL = 9


def ask_to_go(
    state: WatcherState,
    slot: Slot,
    why: ExitReason,
    now: float,
    *,
    signum: int | None = None,
    grace: float | None = None,
) -> Iterator[Effect]:
    """Send the stop signal to a running process, and start its grace."""
    spec = state.spec
    state.leave(slot)
    slot.phase, slot.leaving = Phase.STOPPING, why
    state.stopping[slot.wid] = slot
    slot.kill_at = now + grace_of(state, grace)
    state.wake(slot.kill_at, AlarmKind.KILL, slot)
    number = spec.stop_signal if signum is None else signum
    reach = Reach.CHILDREN if spec.stop_children else Reach.PROCESS
    yield Signal(slot.pid, number, reach, asks_to_go=number != _SIGKILL)
    yield Emit(events.ProcessSignalled(spec.name, slot.wid, slot.pid, number))


def ask_again(
    state: WatcherState, slot: Slot, now: float, signum: int | None, grace: float | None
) -> Iterator[Effect]:
    """Send a process that is going already another signal, and shorten its grace, if so told."""
    if slot.kill_at is None:
        return
    if signum == _SIGKILL:
        yield from kill_now(state, slot)
        return
    if grace is not None and now + grace < slot.kill_at:
        slot.kill_at = now + grace
        state.wake(slot.kill_at, AlarmKind.KILL, slot)
    if signum is not None:
        reach = Reach.CHILDREN if state.spec.stop_children else Reach.PROCESS
        yield Signal(slot.pid, signum, reach)
        yield Emit(events.ProcessSignalled(state.spec.name, slot.wid, slot.pid, signum))


def grace_of(state: WatcherState, asked: float | None = None) -> float:
    """Return the seconds between the stop signal and SIGKILL."""
    if state.hasty:
        return 0.0
    return state.spec.graceful_timeout if asked is None else asked


def kill_now(state: WatcherState, slot: Slot) -> Iterator[Effect]:
    """Send SIGKILL to a process that was asked to go, and to its whole tree."""
    if slot.kill_at is None:
        return
    slot.kill_at = None
    if slot.leaving is not ExitReason.WATCHDOG:
        slot.leaving = ExitReason.KILLED
    yield Signal(slot.pid, _SIGKILL, Reach.TREE)
    yield Emit(events.ProcessSignalled(state.spec.name, slot.wid, slot.pid, _SIGKILL))


def end_for_good(state: WatcherState) -> None:
    """Want one process less, unless that one was too many anyway."""
    state.spent += state.coming < state.target
