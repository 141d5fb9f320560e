"""Inputs become facts: each changes the state by what it says, and nothing is decided here.

What follows from the facts is `advance.py`'s business, once per batch. The only effects that come
from here are those an input names itself: the event of a death, say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from heapq import heappop
from typing import assert_never

from cvec_circus_core.model import events
from cvec_circus_core.model.errors import ShuttingDown
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.kinds import signal_name
from cvec_circus_core.model.outcome import Done, Failed
from cvec_circus_core.policy.backoff import expiry, is_quick, pause_after
from cvec_circus_core.policy.effects import Effect, Emit, Reach, Settle, Signal, Sweep
from cvec_circus_core.policy.inputs import (
    Change,
    Exited,
    Go,
    Hangup,
    Hasten,
    Input,
    Ready,
    Renew,
    Resize,
    Retire,
    Spawned,
    SpawnFailed,
    Swept,
    Tick,
    TicketId,
    Wanted,
    Wish,
)
from cvec_circus_core.policy.leaving import ask_to_go, kill_now
from cvec_circus_core.policy.promises import give_up, promise, supersede
from cvec_circus_core.policy.state import Aim, AlarmKind, Phase, Slot, WatcherState

_SIGHUP = 1
_SIGKILL = 9


def record(state: WatcherState, said: Input, now: float) -> Iterator[Effect]:
    """Take one input into the state and yield what it calls for by itself."""
    match said:
        case Wish():
            yield from _on_wish(state, said)
        case Hasten():
            yield from _on_hasten(state)
        case Resize(count, ticket):
            state.spec = replace(state.spec, numprocesses=count)
            promise(state, ticket, Aim.SIZED)
        case Renew():
            _on_renew(state, said)
        case Hangup(ticket):
            yield from _on_hangup(state, ticket)
        case Change():
            yield from _on_change(state, said)
        case Retire():
            yield from _on_retire(state, said, now)
        case Spawned():
            yield from _on_spawned(state, said, now)
        case SpawnFailed():
            yield from _on_spawn_failed(state, said, now)
        case Ready(wid):
            _on_ready(state, state.fresh.get(wid))
        case Exited():
            yield from _on_exited(state, said, now)
        case Swept(pid):
            state.sweeping.discard(pid)
        case Tick():
            yield from _on_tick(state, now)
        case _:
            assert_never(said)


def _on_wish(state: WatcherState, wish: Wish) -> Iterator[Effect]:
    if state.final and wish.go in (Go.START, Go.RESTART):
        if wish.ticket is not None:
            yield Settle(wish.ticket, Failed(ShuttingDown()))
        return
    state.final = state.final or wish.final
    match wish.go:
        case Go.START:
            _want_up(state)
            promise(state, wish.ticket, Aim.UP)
        case Go.STOP:
            yield from supersede(state, (Aim.UP, Aim.ANEW, Aim.RENEWED, Aim.SIZED), Go.STOP)
            state.wanted, state.again, state.reason = Wanted.DOWN, False, None
            promise(state, wish.ticket, Aim.DOWN)
        case Go.RESTART:
            yield from supersede(state, (Aim.RENEWED,), Go.RESTART)
            state.wanted, state.again, state.reason = Wanted.DOWN, True, None
            promise(state, wish.ticket, Aim.ANEW)
        case Go.LEAVE:
            yield from supersede(state, tuple(Aim), Go.LEAVE)
            state.wanted, state.again, state.final = Wanted.ADRIFT, False, True
            if wish.ticket is not None:
                yield Settle(wish.ticket, Done())
        case _:
            assert_never(wish.go)


def _on_hasten(state: WatcherState) -> Iterator[Effect]:
    state.hasty = True
    for slot in tuple(state.stopping.values()):
        yield from kill_now(state, slot)
    for pid in state.sweeping:
        yield Sweep(pid, _SIGKILL, 0.0)


def _want_up(state: WatcherState) -> None:
    """Go up; a watcher on its way down goes down first, so that ports and locks are free."""
    if state.wanted is Wanted.DOWN and not state.is_empty:
        state.again = True
    elif state.wanted is Wanted.DOWN:
        begin(state)


def begin(state: WatcherState) -> None:
    """Start over: nothing of an earlier run counts any more."""
    state.wanted, state.again = Wanted.UP, False
    state.reason, state.spent, state.spawn_from = None, 0, 0.0


def _on_renew(state: WatcherState, said: Renew) -> None:
    if state.wanted is not Wanted.UP:
        promise(state, said.ticket, Aim.RENEWED)
        return
    outdate_all(state)
    state.rollout, state.rolling = said.rollout, True
    promise(state, said.ticket, Aim.RENEWED)


def outdate_all(state: WatcherState) -> None:
    """Begin a new generation: whoever runs is out of date, whoever waits may try at once."""
    state.generation += 1
    for slot in tuple(state.fresh.values()):
        state.outdate(slot, ExitReason.RELOADED)
    state.due.clear()
    for slot in state.waiting.values():
        slot.generation, slot.quick_deaths, slot.failures = state.generation, 0, 0
        slot.due_at = 0.0
        state.due.append((slot.wid, slot.serial))


def _on_hangup(state: WatcherState, ticket: TicketId | None) -> Iterator[Effect]:
    pids = tuple(slot.pid for slot in state.fresh.values())
    for pid in pids:
        yield Signal(pid, _SIGHUP, Reach.PROCESS)
    yield Emit(events.WatcherReloaded(state.spec.name))
    if ticket is not None:
        yield Settle(ticket, Done(kept=pids, numprocesses=state.target))


def _on_change(state: WatcherState, said: Change) -> Iterator[Effect]:
    state.spec = said.spec
    for key in said.keys:
        yield Emit(events.OptionUpdated(state.spec.name, key))
    promise(state, said.ticket, Aim.SIZED)


def _on_retire(state: WatcherState, said: Retire, now: float) -> Iterator[Effect]:
    promise(state, said.ticket, Aim.GONE, said.pids)
    for pid in said.pids:
        slot = state.by_pid.get(pid)
        if slot is not None and slot.phase is Phase.RUNNING:
            yield from ask_to_go(
                state, slot, ExitReason.STOPPED, now, signum=said.signum, grace=said.grace
            )


def _on_spawned(state: WatcherState, said: Spawned, now: float) -> Iterator[Effect]:
    slot = state.slots[said.wid]
    state.leave(slot)
    if slot.lives == 0:
        state.unborn -= 1
    slot.phase, slot.pid, slot.started_at = Phase.RUNNING, said.pid, now
    slot.lives += 1
    slot.failures, slot.ready, slot.kill_at = 0, False, None
    state.by_pid[said.pid] = slot
    state.fresh[slot.wid] = slot
    if slot.generation != state.generation:
        state.outdate(slot, ExitReason.RELOADED)
    else:
        _await_ready(state, slot, now)
        slot.expires_at = expiry(now, said.chance, state.spec)
        if slot.expires_at is not None:
            state.wake(slot.expires_at, AlarmKind.EXPIRE, slot)
    for one in state.promises:
        one.started[said.pid] = None
    yield Emit(events.ProcessSpawned(state.spec.name, slot.wid, said.pid))


def _await_ready(state: WatcherState, slot: Slot, now: float) -> None:
    if state.rollout.ready_after <= 0:
        _on_ready(state, slot)
    else:
        slot.ready_at = now + state.rollout.ready_after
        state.wake(slot.ready_at, AlarmKind.READY, slot)


def _on_ready(state: WatcherState, slot: Slot | None) -> None:
    if slot is not None and not slot.ready:
        slot.ready = True
        state.ready += 1


def _on_spawn_failed(state: WatcherState, said: SpawnFailed, now: float) -> Iterator[Effect]:
    slot = state.slots[said.wid]
    state.leave(slot)
    slot.failures += 1
    slot.quick_deaths += 1
    state.reason = said.reason
    limit = state.spec.max_retry
    hopeless = 0 <= limit <= slot.failures
    pause = pause_after(slot.failures, state.spec)
    name = state.spec.name
    yield Emit(events.SpawnFailed(name, slot.wid, said.reason, None if hopeless else pause))
    if hopeless or state.wanted is not Wanted.UP:
        state.free(slot)
        if state.wanted is Wanted.UP:
            yield from give_up(state, f"{said.reason} ({slot.failures} tries)")
    else:
        _wait(state, slot, pause, now)


def _wait(state: WatcherState, slot: Slot, pause: float, now: float) -> None:
    slot.phase, slot.generation, slot.stale = Phase.WAITING, state.generation, None
    slot.serial, slot.due_at = state.next_serial(), now + pause
    state.waiting[slot.wid] = slot
    if pause <= 0:
        state.due.append((slot.wid, slot.serial))
    else:
        state.wake(slot.due_at, AlarmKind.RETRY, slot)


def _on_exited(state: WatcherState, said: Exited, now: float) -> Iterator[Effect]:
    slot = state.by_pid.pop(said.pid)
    asked = slot.phase is Phase.STOPPING
    was_stale = slot.stale is not None
    grace = _grace_left(state, slot, now)
    state.leave(slot)
    state.last_exit = said.code
    for one in state.promises:
        one.started.pop(said.pid, None)
        one.kept.pop(said.pid, None)
        one.stopped.append(said.pid)
        one.pids.discard(said.pid)
    yield Emit(events.ProcessReaped(state.spec.name, slot.wid, said.pid, said.code, slot.leaving))
    if said.left_behind and state.wanted is not Wanted.ADRIFT:
        state.sweeping.add(said.pid)
        yield Sweep(said.pid, state.spec.stop_signal, grace)
    if asked or was_stale or state.wanted is not Wanted.UP:
        state.free(slot)
    else:
        _on_unasked_death(state, slot, said, now)


def _grace_left(state: WatcherState, slot: Slot, now: float) -> float:
    if slot.phase is not Phase.STOPPING:
        return state.spec.graceful_timeout
    return 0.0 if slot.kill_at is None else max(0.0, slot.kill_at - now)


def _on_unasked_death(state: WatcherState, slot: Slot, said: Exited, now: float) -> None:
    if not state.spec.respawn:
        state.spent += 1
        state.free(slot)
        return
    state.restarts += 1
    if is_quick(now - slot.started_at, state.spec):
        slot.quick_deaths += 1
    else:
        slot.quick_deaths = 0
    state.reason = _death_note(said)
    _wait(state, slot, pause_after(slot.quick_deaths, state.spec), now)


def _death_note(said: Exited) -> str:
    if said.code is None:
        return "a process ended, its exit status is not known"
    if said.code < 0:
        return f"a process was ended by {signal_name(-said.code)}"
    return f"a process exited with {said.code}"


def _on_tick(state: WatcherState, now: float) -> Iterator[Effect]:
    while state.alarms and state.alarms[0][0] <= now:
        at, _, kind, wid = heappop(state.alarms)
        slot = state.holds(at, kind, wid)
        if slot is None:
            continue
        match kind:
            case AlarmKind.RETRY:
                state.due.append((slot.wid, slot.serial))
            case AlarmKind.KILL:
                yield from kill_now(state, slot)
            case AlarmKind.READY:
                _on_ready(state, slot)
            case AlarmKind.EXPIRE:
                state.outdate(slot, ExitReason.EXPIRED)
            case _:
                assert_never(kind)
